use std::sync::Arc;
use std::time::Duration;

use chat_core::store::{AccountStore, LoginSessionStore, Store};
use chat_store::{OpenError, PendingMigration, PostgresConfig, PostgresStore, SqliteStore};

use crate::DataError;
use crate::config::{Config, DatabaseKind, StoreConfig};
use crate::data::DatabaseFile;

/// Where a server keeps everything: one of the databases that it can use.
#[derive(Debug)]
pub struct Database {
    store: AnyStore,
    /// Kept, so that no other process uses it.
    _file: Option<DatabaseFile>,
}

#[derive(Debug, Clone)]
enum AnyStore {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// Its file cannot be used.
    #[error(transparent)]
    File(#[from] DataError),
    /// It cannot be opened or migrated.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// The kind of the database of a configuration, and where it is: for people, and so without a
/// password.
pub(crate) fn place(config: &Config) -> (DatabaseKind, String) {
    match &config.store.url {
        Some(url) => (url.kind(), url.to_string()),
        None => {
            let path = DatabaseFile::path_in_folder(&config.data);
            (DatabaseKind::Sqlite, path.display().to_string())
        }
    }
}

impl Database {
    /// Opens the database that is configured, for this process alone where it is a file, without
    /// changing its tables. A file in the data folder needs the [`DataFolder`](crate::DataFolder) to
    /// be open.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`].
    pub async fn open(config: &Config) -> Result<Self, DatabaseError> {
        let file = match &config.store.url {
            None => DatabaseFile::in_folder(&config.data)?,
            Some(url) if url.kind() == DatabaseKind::Sqlite => {
                DatabaseFile::named_by(url.expose(), &config.data)?
            }
            Some(url) => {
                let postgres = postgres_config(&config.store);
                let store = PostgresStore::open_with(url.expose(), postgres).await?;
                return Ok(Self { store: AnyStore::Postgres(store), _file: None });
            }
        };
        let store = SqliteStore::open(file.location()).await?;
        Ok(Self { store: AnyStore::Sqlite(store), _file: Some(file) })
    }

    /// The migrations that the configured database lacks, without changing or making anything, while
    /// a server may be using it.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`].
    pub async fn pending(config: &Config) -> Result<Vec<PendingMigration>, DatabaseError> {
        let file = match &config.store.url {
            None => DatabaseFile::shared_in_folder(&config.data),
            Some(url) if url.kind() == DatabaseKind::Sqlite => DatabaseFile::shared(url.expose()),
            Some(_) => return Self::open(config).await?.into_pending().await,
        };
        let Some(file) = file else { return Ok(SqliteStore::migrations()) };
        let store = SqliteStore::open(file.location()).await?;
        Self { store: AnyStore::Sqlite(store), _file: Some(file) }.into_pending().await
    }

    async fn into_pending(self) -> Result<Vec<PendingMigration>, DatabaseError> {
        let pending = self.pending_migrations().await?;
        self.close().await;
        Ok(pending)
    }

    /// Brings the tables up to date.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn migrate(&self) -> Result<(), OpenError> {
        match &self.store {
            AnyStore::Sqlite(store) => store.migrate().await,
            AnyStore::Postgres(store) => store.migrate().await,
        }
    }

    /// The migrations that [`Database::migrate`] would apply.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn pending_migrations(&self) -> Result<Vec<PendingMigration>, OpenError> {
        match &self.store {
            AnyStore::Sqlite(store) => store.pending_migrations().await,
            AnyStore::Postgres(store) => store.pending_migrations().await,
        }
    }

    /// Everything that the engine keeps.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        match self.store.clone() {
            AnyStore::Sqlite(store) => Arc::new(store),
            AnyStore::Postgres(store) => Arc::new(store),
        }
    }

    /// Accounts.
    #[must_use]
    pub fn accounts(&self) -> Arc<dyn AccountStore> {
        match self.store.clone() {
            AnyStore::Sqlite(store) => Arc::new(store),
            AnyStore::Postgres(store) => Arc::new(store),
        }
    }

    /// Login sessions.
    #[must_use]
    pub fn logins(&self) -> Arc<dyn LoginSessionStore> {
        match self.store.clone() {
            AnyStore::Sqlite(store) => Arc::new(store),
            AnyStore::Postgres(store) => Arc::new(store),
        }
    }

    /// Closes its connections, after what is under way.
    pub async fn close(&self) {
        match &self.store {
            AnyStore::Sqlite(store) => store.close().await,
            AnyStore::Postgres(store) => store.close().await,
        }
    }
}

fn postgres_config(config: &StoreConfig) -> PostgresConfig {
    PostgresConfig {
        max_connections: config.max_connections,
        statement_timeout: Duration::from_millis(config.statement_timeout_ms),
        lock_timeout: Duration::from_millis(config.lock_timeout_ms),
        acquire_timeout: Duration::from_millis(config.call_timeout_ms),
        replica_url: config.replica_url.as_ref().map(|url| url.expose().to_owned()),
        transaction_pooler: config.transaction_pooler,
        ..PostgresConfig::default()
    }
}
