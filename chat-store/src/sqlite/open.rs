use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::SqlitePool;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};

use super::activity::Activity;
use super::error::{BUSY, CANTOPEN, CORRUPT, NOTADB, READONLY, primary_code};
use super::migration::refuse_newer;
use super::writer::Writer;
use super::{SqliteStore, schema};
use crate::failure::cause;
use crate::{OpenError, statement_log};

/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a read waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read. Each is a thread.
const READERS: u32 = 4;
/// How much of the database each reader keeps of its own, as SQLite's `cache_size` says it: below zero
/// in KiB. It is for the pages that one statement comes back to, since the next write makes a reader
/// forget all it has; what outlives that is the system's cache of the file, which all share.
const READER_CACHE: &str = "-512";
/// How large the write-ahead log's file may stay after a checkpoint, in bytes.
const LOG_BYTES: &str = "67108864";

impl SqliteStore {
    /// Opens a database file, and makes it if it is not there; its folder must be. Takes a path, or a
    /// URL such as `sqlite:data/chat.db`.
    ///
    /// The tables are made by [`migrate`](Self::migrate).
    ///
    /// # Errors
    ///
    /// Each reason is a variant of [`OpenError`] of its own, in words for whoever runs the server.
    pub async fn open(location: &str) -> Result<Self, OpenError> {
        let options = if location.starts_with("sqlite:") {
            SqliteConnectOptions::from_str(location).map_err(|error| OpenError::Location {
                location: location.to_owned(),
                source: error.into(),
            })?
        } else {
            SqliteConnectOptions::new().filename(location)
        };
        let in_memory = [":memory:", "mode=memory"].iter().any(|mark| location.contains(mark));
        if in_memory || location.is_empty() {
            return Err(OpenError::InMemory);
        }
        let options = statement_log::at_debug(options);
        let options =
            options.foreign_keys(true).busy_timeout(BUSY_TIMEOUT).pragma("temp_store", "MEMORY");
        let writing = options
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", LOG_BYTES);
        let path = writing.get_filename().to_path_buf();
        let failed = |error: sqlx::Error| open_error(path.clone(), error);
        let pool = pool(1).connect_lazy_with(writing);
        let mut first = connect(&pool).await.map_err(failed)?;
        refuse_newer(&mut first).await.map_err(failed)??;
        if let Some(missing) = schema::missing(&mut first).await.map_err(failed)? {
            return Err(OpenError::Damaged { path, what: format!("it has no {missing}") });
        }
        // Not opened as read-only: who reads must be able to recover the log of a process that died.
        let reading = options.pragma("query_only", "ON").pragma("cache_size", READER_CACHE);
        let readers = pool_of_readers(reading).await.map_err(failed)?;
        let activity = Activity::new(readers.clone());
        activity.begin(&mut first).await.map_err(failed)?;
        drop(first);
        Ok(Self { writer: Writer::new(pool), readers, activity })
    }

    /// Shares the pool, and so the database, of a host.
    ///
    /// One connection is taken out of it for writing. The options are the host's to choose:
    /// the write-ahead log (`journal_mode = WAL`), a `busy_timeout`, and for durability
    /// `synchronous = FULL`. Foreign keys are on unless the host turned them off. A database in
    /// memory cannot be shared like this, since each connection has its own.
    #[must_use]
    pub fn from_pool(pool: SqlitePool) -> Self {
        let activity = Activity::new(pool.clone());
        Self { writer: Writer::new(pool.clone()), activity, readers: pool }
    }
}

/// A pool whose connections live as long as it does: a local file does not go away.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

async fn pool_of_readers(options: SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    pool(READERS).connect_with(options).await
}

/// The first connection. Turning the log on needs the file for itself, for which SQLite does not
/// wait by itself, so two processes that start at once may meet here.
async fn connect(pool: &SqlitePool) -> sqlx::Result<PoolConnection<Sqlite>> {
    let give_up = Instant::now() + BUSY_TIMEOUT;
    loop {
        match pool.acquire().await {
            Err(sqlx::Error::Database(error))
                if primary_code(error.as_ref()) == Some(BUSY) && Instant::now() < give_up =>
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            outcome => return outcome,
        }
    }
}

fn open_error(path: PathBuf, error: sqlx::Error) -> OpenError {
    let code = match &error {
        sqlx::Error::Database(database) => primary_code(database.as_ref()),
        _ => None,
    };
    let source = cause(error);
    match code {
        Some(CANTOPEN) => OpenError::CannotOpen { path, source },
        Some(READONLY) => OpenError::ReadOnly { path, source },
        Some(NOTADB) => OpenError::NotADatabase { path, source },
        Some(CORRUPT) => OpenError::Damaged { path, what: damage(&source.to_string()) },
        _ => OpenError::Unreadable(source),
    }
}

/// What SQLite says is damaged, without the statement that it may quote after a dash.
fn damage(said: &str) -> String {
    said.split(" - ").next().unwrap_or(said).to_owned()
}

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::*;

    #[tokio::test]
    async fn writes_are_durable_and_readers_only_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.db");
        let store = SqliteStore::open(path.to_str().unwrap()).await.unwrap();
        store.migrate().await.unwrap();
        let settings = store.writer.write(|connection| {
            Box::pin(async move {
                let query = "SELECT * FROM pragma_journal_mode, pragma_synchronous,
                               pragma_foreign_keys, pragma_busy_timeout";
                let row = sqlx::query(query).fetch_one(connection).await?;
                let numbers = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
                Ok((row.try_get::<String, _>(0)?, numbers))
            })
        });
        let (journal_mode, numbers): (_, (i64, i64, i64)) = settings.await.unwrap();
        assert_eq!(journal_mode, "wal");
        assert_eq!(numbers, (2, 1, 5_000), "synchronous = FULL, foreign_keys = ON, busy_timeout");
        let refused = sqlx::query("DELETE FROM chat_user").execute(&store.readers).await;
        let Err(sqlx::Error::Database(refused)) = refused else { panic!("{refused:?}") };
        assert_eq!(primary_code(refused.as_ref()), Some(READONLY));
    }
}
