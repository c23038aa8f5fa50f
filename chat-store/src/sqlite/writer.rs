use std::collections::VecDeque;
use std::fmt::{self, Debug};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};

use futures::TryStreamExt;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Connection, Either, Executor, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tracing::Instrument;

use super::error::{BUSY, primary_code};
use crate::failure::Failure;

/// What is done in one write transaction.
pub(super) type Work<'c, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'c>>;

/// What is done with the connection: what came of it, and whether it may be used again.
type Act<'c, T> = Pin<Box<dyn Future<Output = (Result<T, Failure>, bool)> + Send + 'c>>;

/// A statement with its values.
pub(super) type Statement = Query<'static, Sqlite, SqliteArguments>;

/// The most pieces of work in one transaction.
const TOGETHER: usize = 64;

/// The connection that writes. SQLite has one writer at a time; whoever wants to write queues here
/// in the order of arrival, instead of polling the lock of the database file.
///
/// Pieces of work that wait share one transaction, and so one sync of the disk: whoever has the turn does
/// what waits, each piece behind a savepoint, so that one that fails leaves no trace and no other fails
/// with it. There is no timer: a lone piece waits for nobody, and while one transaction is committed the
/// next gathers.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    pool: SqlitePool,
    /// The turn to write, and the connection once there is one.
    turn: Arc<Turn>,
    /// Work that waits. Held for a push, or while the next transaction is put together.
    queue: Arc<std::sync::Mutex<Queue>>,
}

type Turn = Mutex<Option<SqliteConnection>>;
type Queue = VecDeque<Box<dyn Job>>;

/// Work that waits, whatever comes of it.
trait Job: Debug + Send {
    /// Whether anybody waits for it.
    fn is_wanted(&self) -> bool;

    /// Does it.
    fn carry_out<'c>(
        self: Box<Self>,
        connection: &'c mut SqliteConnection,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'c>>;

    /// Tells who waits that it was not begun.
    fn refuse(self: Box<Self>, failure: Failure);
}

/// What came of a job within its transaction.
struct Outcome {
    /// Whether it is to leave no trace.
    failed: bool,
    /// Tells who waits: what came of the job, or, instead, why the transaction failed.
    tell: Tell,
}

type Tell = Box<dyn FnOnce(Option<Failure>) + Send>;

struct Waiting<T, W> {
    work: W,
    answer: oneshot::Sender<Result<T, Failure>>,
}

impl<T, W> Debug for Waiting<T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}

impl<T, W> Job for Waiting<T, W>
where
    T: Send + 'static,
    W: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
{
    fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }

    fn carry_out<'c>(
        self: Box<Self>,
        connection: &'c mut SqliteConnection,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'c>> {
        let Self { work, answer } = *self;
        Box::pin(async move {
            let done = work(connection).await;
            let failed = done.is_err();
            // Who has gone away needs no answer.
            let tell: Tell = Box::new(move |failure| drop(answer.send(failure.map_or(done, Err))));
            Outcome { failed, tell }
        })
    }

    fn refuse(self: Box<Self>, failure: Failure) {
        let _ = self.answer.send(Err(failure));
    }
}

impl Writer {
    /// Writes through one connection, which is taken out of a pool at the first write and kept.
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self { pool, turn: Arc::default(), queue: Arc::default() }
    }

    /// Does some work in a transaction, perhaps together with what others asked for. It is committed when
    /// this returns; work that fails leaves no trace.
    ///
    /// A caller that goes away while it queues leaves the queue. Once the work has begun it is carried to
    /// its end by a task of its own, so that no caller can leave a transaction open.
    pub(super) async fn write<T, W>(&self, work: W) -> Result<T, Failure>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        let (answer, mut answered) = oneshot::channel();
        self.queue().push_back(Box::new(Waiting { work, answer }));
        loop {
            let turn = tokio::select! {
                biased;
                told = &mut answered => return told.unwrap_or(Err(Failure::GivenUp)),
                turn = Arc::clone(&self.turn).lock_owned() => turn,
            };
            let writer = self.clone();
            let writing = async move { writer.write_together(turn).await };
            if let Err(ended) = tokio::spawn(writing.in_current_span()).await {
                // Whether one's own work was the one that panicked, one cannot tell.
                return answered.try_recv().unwrap_or(Err(ended.into()));
            }
        }
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what waits, in one transaction.
    async fn write_together(&self, mut turn: OwnedMutexGuard<Option<SqliteConnection>>) {
        let jobs: Vec<_> = {
            let mut queue = self.queue();
            let mut jobs = Vec::new();
            while jobs.len() < TOGETHER
                && let Some(job) = queue.pop_front()
            {
                if job.is_wanted() {
                    jobs.push(job);
                }
            }
            jobs
        };
        if jobs.is_empty() {
            return;
        }
        let connection = match &mut *turn {
            Some(connection) => connection,
            none => match self.pool.acquire().await {
                Ok(connection) => none.insert(connection.detach()),
                Err(error) => return refuse(jobs, error.into()),
            },
        };
        let Transacted { usable, untouched } = transact(connection, jobs).await;
        if !untouched.is_empty() {
            // Before the turn is another's.
            let mut queue = self.queue();
            untouched.into_iter().rev().for_each(|job| queue.push_front(job));
        }
        if !usable {
            close(turn.take()).await;
        }
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

/// What is left after a transaction.
struct Transacted {
    /// Whether the connection may be used again.
    usable: bool,
    /// Jobs that were not begun, since the transaction had ended before.
    untouched: Vec<Box<dyn Job>>,
}

/// Does some jobs in one transaction, and tells each what came of it once that is committed.
async fn transact(connection: &mut SqliteConnection, jobs: Vec<Box<dyn Job>>) -> Transacted {
    // Immediate: a transaction that reads first and then finds another writer cannot wait for it.
    let mut transaction = match connection.begin_with("BEGIN IMMEDIATE").await {
        Ok(transaction) => transaction,
        Err(error) => {
            let usable = is_busy(&error);
            refuse(jobs, error.into());
            return Transacted { usable, untouched: Vec::new() };
        }
    };
    let alone = jobs.len() == 1;
    let mut jobs = jobs.into_iter();
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    while let Some(job) = jobs.next() {
        let done = if alone {
            let Outcome { failed, tell } = job.carry_out(&mut transaction).await;
            if failed {
                // Some failures, such as a full disk, end the transaction by themselves. Then there is
                // nothing to roll back, which is an error again, and the connection has lost count.
                let usable = transaction.rollback().await.is_ok();
                tell(None);
                return Transacted { usable, untouched: Vec::new() };
            }
            kept.push(tell);
            Ok(())
        } else {
            apart(&mut transaction, job, &mut kept, &mut refused).await
        };
        if let Err(error) = done {
            // The transaction is over, and what was done in it.
            drop(transaction);
            tell_all(kept, error.into());
            refused.into_iter().for_each(|tell: Tell| tell(None));
            return Transacted { usable: false, untouched: jobs.collect() };
        }
    }
    let usable = match transaction.commit().await {
        Ok(()) => {
            kept.into_iter().for_each(|tell| tell(None));
            true
        }
        Err(error) => {
            tell_all(kept, error.into());
            false
        }
    };
    refused.into_iter().for_each(|tell| tell(None));
    Transacted { usable, untouched: Vec::new() }
}

/// Does a job behind a savepoint. An error means that the transaction is over.
async fn apart(
    transaction: &mut SqliteConnection,
    job: Box<dyn Job>,
    kept: &mut Vec<Tell>,
    refused: &mut Vec<Tell>,
) -> sqlx::Result<()> {
    let mut savepoint = match transaction.begin().await {
        Ok(savepoint) => savepoint,
        Err(error) => {
            job.refuse(Failure::GivenUp);
            return Err(error);
        }
    };
    let Outcome { failed, tell } = job.carry_out(&mut savepoint).await;
    if failed {
        refused.push(tell);
        savepoint.rollback().await
    } else {
        kept.push(tell);
        savepoint.commit().await
    }
}

/// Tells everybody that the transaction failed.
fn tell_all(tells: Vec<Tell>, failure: Failure) {
    let failure = Arc::new(failure);
    tells.into_iter().for_each(|tell| tell(Some(Failure::Shared(Arc::clone(&failure)))));
}

fn refuse(jobs: Vec<Box<dyn Job>>, failure: Failure) {
    let failure = Arc::new(failure);
    jobs.into_iter().for_each(|job| job.refuse(Failure::Shared(Arc::clone(&failure))));
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
