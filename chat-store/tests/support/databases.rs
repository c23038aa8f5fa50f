//! Stores in databases of their own.

#![allow(dead_code, reason = "each test uses some of it")]

use std::any::Any;
use std::ops::Deref;
use std::sync::LazyLock;

use chat_store::{PostgresConfig, PostgresStore, SqliteStore};
use chat_test_servers::{Database, PgBouncer, Postgres};

/// A store, with what must live as long as it does.
pub(crate) struct Opened<S> {
    store: S,
    _keeps: Box<dyn Any + Send + Sync>,
}

impl<S> Deref for Opened<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.store
    }
}

/// A store in a file, in a folder that goes away with it.
pub(crate) async fn sqlite() -> Opened<SqliteStore> {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("chat.db").to_str().unwrap()).await.unwrap();
    store.migrate().await.unwrap();
    Opened { store, _keeps: Box::new(folder) }
}

/// An empty database of the shared server. It sorts as people do, where the server can, so that
/// what must sort by bytes has to say so.
pub(crate) fn database() -> Database {
    static COLLATION: LazyLock<&str> = LazyLock::new(|| {
        let icu = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'";
        let possible = Postgres::shared().create_database_with(icu).is_ok();
        if possible { icu } else { "TEMPLATE template0" }
    });
    Postgres::shared().create_database_with(&COLLATION).unwrap()
}

/// Few connections, as many stores share the server.
pub(crate) fn few_connections() -> PostgresConfig {
    let mut config = PostgresConfig::default();
    config.max_connections = 8;
    config.min_connections = 0;
    config
}

/// A store with settings, in a database of the shared server.
pub(crate) async fn migrated(url: &str, config: PostgresConfig) -> PostgresStore {
    let store = PostgresStore::open_with(url, config).await.unwrap();
    store.migrate().await.unwrap();
    store
}

/// A store in a database of the shared server.
pub(crate) async fn postgres() -> Opened<PostgresStore> {
    let store = migrated(&database().url, few_connections()).await;
    Opened { store, _keeps: Box::new(()) }
}

/// The same behind a pooler.
pub(crate) async fn pooled() -> Opened<PostgresStore> {
    static POOLER: LazyLock<PgBouncer> =
        LazyLock::new(|| PgBouncer::start(Postgres::shared()).unwrap());
    let mut config = few_connections();
    config.transaction_pooler = true;
    let store = migrated(&POOLER.url(&database().name), config).await;
    Opened { store, _keeps: Box::new(()) }
}
