//! The store in SQLite keeps the promises of its traits.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::ops::Deref;

use chat_store::SqliteStore;

/// A store in a folder that goes away with it.
struct Temporary {
    store: SqliteStore,
    _folder: tempfile::TempDir,
}

impl Deref for Temporary {
    type Target = SqliteStore;

    fn deref(&self) -> &SqliteStore {
        &self.store
    }
}

async fn empty_store() -> Temporary {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("chat.db").to_str().unwrap()).await.unwrap();
    store.migrate().await.unwrap();
    Temporary { store, _folder: folder }
}

chat_core::testing::store_conformance!(empty_store);
chat_core::testing::uncached_store_conformance!(empty_store);
chat_core::testing::account_conformance!(empty_store);
