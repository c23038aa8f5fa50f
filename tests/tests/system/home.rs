use std::path::Path;
use std::sync::Arc;

use chat_core::store::Store;
use chat_store::{PostgresStore, SqliteStore};
use chat_test_servers::{Database, Postgres};
use tempfile::TempDir;

/// Where a server keeps what it keeps: a folder that goes away with this, and a database in it or
/// in a Postgres of the tests' own.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
    database: Option<Database>,
}

/// A store that a test opened, to be closed.
#[derive(Debug, Clone)]
pub(crate) enum OpenStore {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

impl OpenStore {
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self.clone() {
            Self::Sqlite(store) => Arc::new(store),
            Self::Postgres(store) => Arc::new(store),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

impl Home {
    /// A folder with a SQLite file.
    pub(crate) fn on_sqlite() -> Self {
        Self { folder: TempDir::new().unwrap(), database: None }
    }

    /// A folder, and a database in the Postgres of this test process.
    pub(crate) fn on_postgres() -> Self {
        Self::on(Postgres::shared().create_database().unwrap())
    }

    /// A folder, and a database somewhere else.
    pub(crate) fn on(database: Database) -> Self {
        Self { folder: TempDir::new().unwrap(), database: Some(database) }
    }

    /// The database itself, as another node would use it.
    pub(crate) async fn open(&self) -> OpenStore {
        match self.database_url() {
            Some(url) => {
                let store = PostgresStore::open(url).await.unwrap();
                store.migrate().await.unwrap();
                OpenStore::Postgres(store)
            }
            None => {
                let file = self.folder().join("chat.db");
                let store = SqliteStore::open(file.to_str().unwrap()).await.unwrap();
                store.migrate().await.unwrap();
                OpenStore::Sqlite(store)
            }
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What `DATABASE_URL` says, where the database is not in the folder.
    pub(crate) fn database_url(&self) -> Option<&str> {
        self.database.as_ref().map(|database| database.url.as_str())
    }
}
