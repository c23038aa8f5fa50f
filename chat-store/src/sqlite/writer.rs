use std::pin::Pin;
use std::sync::Arc;

use futures::TryStreamExt;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Connection, Either, Executor, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;
use tracing::Instrument;

use super::error::{BUSY, primary_code};
use crate::failure::Failure;

/// What is done in one write transaction.
pub(super) type Work<'c, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'c>>;

/// What is done with the connection: what came of it, and whether it may be used again.
type Act<'c, T> = Pin<Box<dyn Future<Output = (Result<T, Failure>, bool)> + Send + 'c>>;

/// A statement with its values.
pub(super) type Statement = Query<'static, Sqlite, SqliteArguments>;

/// The connection that writes. SQLite has one writer at a time; whoever wants to write queues here
/// in the order of arrival, instead of polling the lock of the database file.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    pool: SqlitePool,
    /// The turn to write, and the connection once there is one.
    turn: Arc<Mutex<Option<SqliteConnection>>>,
}

impl Writer {
    /// Writes through one connection, which is taken out of a pool at the first write and kept.
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self { pool, turn: Arc::default() }
    }

    /// Does some work in a transaction of its own, which is committed when the work succeeds and
    /// leaves no trace when it fails.
    ///
    /// A caller that goes away while it queues leaves the queue. Once the transaction has begun it
    /// is carried to its end by a task of its own, so that no caller can leave it open.
    pub(super) async fn write<T, W>(&self, work: W) -> Result<T, Failure>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        self.take_turn(|connection| Box::pin(transact(connection, work))).await
    }

    /// Runs a statement that is a transaction by itself. What has begun is carried to its end here,
    /// too.
    pub(super) async fn run(&self, statement: Statement) -> Result<Vec<SqliteRow>, Failure> {
        self.take_turn(|connection| Box::pin(run(connection, statement))).await
    }

    async fn take_turn<T, A>(&self, act: A) -> Result<T, Failure>
    where
        T: Send + 'static,
        A: for<'c> FnOnce(&'c mut SqliteConnection) -> Act<'c, T> + Send + 'static,
    {
        let mut turn = Arc::clone(&self.turn).lock_owned().await;
        let pool = self.pool.clone();
        let task = async move {
            let connection = match &mut *turn {
                Some(connection) => connection,
                none => none.insert(pool.acquire().await?.detach()),
            };
            let (written, usable) = act(connection).await;
            if !usable {
                close(turn.take()).await;
            }
            written
        };
        tokio::spawn(task.in_current_span()).await?
    }

    /// Closes the connection, once it is nobody's turn.
    pub(super) async fn close(&self) {
        close(self.turn.lock().await.take()).await;
        self.pool.close().await;
    }
}

/// Returns what came of the work, and whether the connection may be used again.
async fn transact<T, W>(connection: &mut SqliteConnection, work: W) -> (Result<T, Failure>, bool)
where
    W: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T>,
{
    // Immediate: a transaction that reads first and then finds another writer cannot wait for it.
    let mut transaction = match connection.begin_with("BEGIN IMMEDIATE").await {
        Ok(transaction) => transaction,
        Err(error) => {
            let busy = is_busy(&error);
            return (Err(error.into()), busy);
        }
    };
    match work(&mut transaction).await {
        Ok(done) => match transaction.commit().await {
            Ok(()) => (Ok(done), true),
            Err(error) => (Err(error.into()), false),
        },
        // Some failures, such as a full disk, end the transaction by themselves. Then there is
        // nothing to roll back, which is an error again, and the connection has lost count.
        Err(failure) => (Err(failure), transaction.rollback().await.is_ok()),
    }
}

/// Returns the rows, and whether the connection may be used again.
async fn run(
    connection: &mut SqliteConnection,
    statement: Statement,
) -> (Result<Vec<SqliteRow>, Failure>, bool) {
    let rows = rows(connection, statement).await;
    // Whatever else fails may be the commit.
    let usable = rows.as_ref().err().is_none_or(is_busy);
    (rows.map_err(Failure::from), usable)
}

/// The rows of a statement that has come to its end, and so is committed. What the connection's thread
/// does afterwards nobody waits for: it would wake the caller once more.
async fn rows(
    connection: &mut SqliteConnection,
    statement: Statement,
) -> sqlx::Result<Vec<SqliteRow>> {
    let mut results = connection.fetch_many(statement);
    let mut rows = Vec::new();
    while let Some(result) = results.try_next().await? {
        match result {
            Either::Right(row) => rows.push(row),
            Either::Left(_ended) => break,
        }
    }
    Ok(rows)
}

fn is_busy(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(primary_code) == Some(BUSY)
}

/// Waits until a connection has given up its locks, so that the next one does not meet them.
async fn close(connection: Option<SqliteConnection>) {
    if let Some(connection) = connection
        && let Err(error) = connection.close().await
    {
        tracing::warn!(%error, "the connection that writes could not be closed");
    }
}

#[cfg(test)]
mod tests {
    use crate::SqliteStore;

    use super::*;

    async fn store(folder: &tempfile::TempDir) -> SqliteStore {
        let path = folder.path().join("chat.db");
        let store = SqliteStore::open(path.to_str().unwrap()).await.unwrap();
        store.migrate().await.unwrap();
        store
    }

    async fn insert(connection: &mut SqliteConnection, id: &str) -> Result<(), Failure> {
        let query = "INSERT INTO chat_user
               (id, username, username_key, skeleton, display_name, display_key, created_at)
             VALUES (?1, ?1, ?1, ?1, ?1, ?1, 0)";
        sqlx::query(query).bind(id).execute(connection).await?;
        Ok(())
    }

    async fn users(store: &SqliteStore) -> i64 {
        let query = sqlx::query_scalar("SELECT count(*) FROM chat_user");
        query.fetch_one(&store.readers).await.unwrap()
    }

    #[tokio::test]
    async fn work_that_fails_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        for id in ["ada", "ada"] {
            let refused = store.writer.write(move |connection| {
                Box::pin(async move {
                    insert(connection, id).await?;
                    Err::<(), _>(Failure::Refused("no"))
                })
            });
            assert!(matches!(refused.await, Err(Failure::Refused("no"))));
            let constraint = store.writer.write(move |connection| {
                Box::pin(async move {
                    insert(connection, id).await?;
                    insert(connection, id).await
                })
            });
            assert!(matches!(constraint.await, Err(Failure::Sql(_))));
        }
        assert_eq!(users(&store).await, 0);
        store.writer.write(|connection| Box::pin(insert(connection, "ada"))).await.unwrap();
        assert_eq!(users(&store).await, 1);
    }

    #[tokio::test]
    async fn work_that_panics_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let panicking = store.writer.write(|connection| {
            Box::pin(async move {
                insert(connection, "ada").await?;
                panic!("on purpose")
            })
        });
        let outcome: Result<(), _> = panicking.await;
        assert!(matches!(outcome, Err(Failure::Interrupted(_))));
        store.writer.write(|connection| Box::pin(insert(connection, "ada"))).await.unwrap();
        assert_eq!(users(&store).await, 1);
    }

    #[tokio::test]
    async fn a_statement_that_fails_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let twice = "INSERT INTO chat_user
               (id, username, username_key, skeleton, display_name, display_key, created_at)
             VALUES (?1, ?1, ?1, ?1, ?1, ?1, 0), (?2, ?2, ?2, ?2, ?2, ?2, 0) RETURNING id";
        let insert = |one, other| sqlx::query(twice).bind(one).bind(other);
        for _ in 0..2 {
            let refused = store.writer.run(insert("ada", "ada")).await;
            assert!(matches!(refused, Err(Failure::Sql(_))));
        }
        assert_eq!(users(&store).await, 0);
        assert_eq!(store.writer.run(insert("ada", "bo")).await.unwrap().len(), 2);
        assert_eq!(users(&store).await, 2);
    }
}
