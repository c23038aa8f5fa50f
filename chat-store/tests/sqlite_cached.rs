//! A cache over the store in SQLite keeps the promises of a store.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::ops::Deref;
use std::sync::Arc;

use chat_core::cache::{CacheConfig, CachedStore};
use chat_store::SqliteStore;

/// A cache over a store in a folder that goes away with it.
struct Temporary {
    store: CachedStore,
    _folder: tempfile::TempDir,
}

impl Deref for Temporary {
    type Target = CachedStore;

    fn deref(&self) -> &CachedStore {
        &self.store
    }
}

async fn empty_store() -> Temporary {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("chat.db").to_str().unwrap()).await.unwrap();
    store.migrate().await.unwrap();
    let store = CachedStore::new(Arc::new(store), CacheConfig::default());
    Temporary { store, _folder: folder }
}

chat_core::testing::store_conformance!(empty_store);
