use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use tokio::time::timeout;
use tracing::Instrument;

use super::retry::Retry;
use super::session::Session;
use super::statement::Statement;
use super::url::place;
use super::{MARGIN, PostgresConfig, migration};
use crate::failure::Failure;

/// What is done in one write transaction. It may be done again from the beginning.
pub(super) type Work<'c, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'c>>;

/// Whether a write may be done twice without harm: the answer to a connection that breaks while
/// the server commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// The second time changes nothing, so it is tried again.
    Harmless,
    /// Only the caller knows, and is told that the store was not available.
    Harmful,
}

/// How long after a loss every connection is tested before it is used. A server that was restarted
/// leaves a pool full of dead ones.
const WARY: Duration = Duration::from_secs(10);

/// A database server, as those who read and write see it.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pool: PgPool,
    use_of: Arc<Use>,
    losses: Losses,
}

/// How connections are used.
#[derive(Debug)]
struct Use {
    /// Begins a transaction, with all that has to be set for it.
    begin: SqlStr,
    transaction_pooler: bool,
    time_limit: Duration,
    retry_for: Duration,
}

/// When a connection was last found broken.
#[derive(Debug, Clone, Default)]
pub(super) struct Losses {
    /// Protects the time alone; held for no longer than it takes to read or set it.
    last: Arc<Mutex<Option<Instant>>>,
}

impl Server {
    /// Connections from this pool. Those that were `prepared` when connecting have their timeouts
    /// already.
    pub(super) fn new(
        pool: PgPool,
        config: &PostgresConfig,
        prepared: bool,
        losses: Losses,
    ) -> Self {
        let use_of = Use {
            begin: AssertSqlSafe(begin(config, prepared)).into_sql_str(),
            transaction_pooler: config.transaction_pooler,
            time_limit: config.statement_timeout.saturating_add(MARGIN),
            retry_for: config.acquire_timeout,
        };
        Self { pool, use_of: Arc::new(use_of), losses }
    }

    /// The same server for work that may take long, but must not wait long for what others need.
    pub(super) fn for_migration(&self) -> Self {
        let use_of = Use {
            begin: AssertSqlSafe(format!(
                "{BEGIN}; SELECT {DURABLE}, set_config('lock_timeout', '{}', true),
                   set_config('statement_timeout', '{}', true)",
                migration::LOCK_TIMEOUT.as_millis(),
                migration::TIME_LIMIT.as_millis(),
            ))
            .into_sql_str(),
            time_limit: migration::TIME_LIMIT.saturating_add(MARGIN),
            ..*self.use_of
        };
        Self { pool: self.pool.clone(), use_of: Arc::new(use_of), losses: self.losses.clone() }
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// Where it is, for people.
    pub(super) fn place(&self) -> String {
        place(&self.pool.connect_options())
    }

    /// Does some work in a transaction of its own, which is committed when the work succeeds and
    /// leaves no trace when it fails.
    ///
    /// When the transaction was in another's way, or its connection broke before it was to be
    /// committed, the work is done again, a bounded number of times. A caller that goes away while
    /// it waits for a connection leaves the queue; once the transaction has begun it is carried to
    /// its end by a task of its own, within the time limit.
    pub(super) async fn write<T, W>(&self, repeat: Repeat, work: W) -> Result<T, Failure>
    where
        T: Send + 'static,
        W: for<'c> Fn(&'c mut Session) -> Work<'c, T> + Send + Sync + 'static,
    {
        let work = Arc::new(work);
        let mut retry = Retry::within(self.use_of.retry_for);
        let mut uncertain = false;
        loop {
            let (failure, committing) = match self.session().await {
                Err(failure) => (failure, false),
                Ok(session) => {
                    let session = session.after_uncertain(uncertain);
                    let (use_of, work) = (Arc::clone(&self.use_of), Arc::clone(&work));
                    let task = async move { use_of.transact(session, &*work).await };
                    match tokio::spawn(task.in_current_span()).await? {
                        Ok(done) => return Ok(done),
                        Err(ended) => ended,
                    }
                }
            };
            let lost = self.notes_loss(&failure);
            uncertain |= lost && committing;
            let again =
                failure.is_conflict() || lost && (!committing || repeat == Repeat::Harmless);
            if !again || !retry.again().await {
                return Err(failure);
            }
        }
    }

    /// The rows that a statement finds. It is asked again when the connection breaks, or when it was
    /// in another's way.
    pub(super) async fn rows(&self, statement: Statement) -> Result<Vec<PgRow>, Failure> {
        let mut retry = Retry::within(self.use_of.retry_for);
        loop {
            match self.rows_once(statement.clone()).await {
                Err(failure)
                    if (failure.is_loss() || failure.is_conflict()) && retry.again().await => {}
                outcome => return outcome,
            }
        }
    }

    /// The same without asking again.
    pub(super) async fn rows_once(&self, statement: Statement) -> Result<Vec<PgRow>, Failure> {
        let session = match self.session().await {
            Ok(session) => session,
            Err(failure) => {
                self.notes_loss(&failure);
                return Err(failure);
            }
        };
        let use_of = Arc::clone(&self.use_of);
        // In a task of its own: a caller that goes away would leave the connection in the middle.
        let task = async move { use_of.ask(session, statement).await };
        let outcome = tokio::spawn(task.in_current_span()).await?;
        if let Err(failure) = &outcome {
            self.notes_loss(failure);
        }
        outcome
    }

    /// The first row that a statement finds.
    pub(super) async fn row(&self, statement: Statement) -> Result<Option<PgRow>, Failure> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// The row of a statement that always has one.
    pub(super) async fn one(&self, statement: Statement) -> Result<PgRow, Failure> {
        self.row(statement).await?.ok_or(Failure::Sql(sqlx::Error::RowNotFound))
    }

    async fn session(&self) -> Result<Session, Failure> {
        Ok(Session::new(self.pool.acquire().await?, !self.use_of.transaction_pooler))
    }

    fn notes_loss(&self, failure: &Failure) -> bool {
        let lost = failure.is_loss();
        if lost {
            self.losses.note();
        }
        lost
    }
}

impl Use {
    /// Does some work in a transaction; says of a failure whether the server may have been told to
    /// commit.
    async fn transact<T, W>(&self, mut session: Session, work: &W) -> Result<T, (Failure, bool)>
    where
        W: for<'c> Fn(&'c mut Session) -> Work<'c, T>,
    {
        let transaction = async {
            session.run(self.begin.clone()).await?;
            match work(&mut session).await {
                Ok(done) => {
                    session.commit().await?;
                    Ok(Ok(done))
                }
                // With the outer success the connection has been cleared up and is well.
                Err(failure) if failure.spares_connection() => {
                    session.run("ROLLBACK").await?;
                    Ok(Err(failure))
                }
                Err(failure) => Err(failure),
            }
        };
        let outcome = timeout(self.time_limit, transaction).await;
        match outcome.unwrap_or(Err(Failure::TimedOut)) {
            Ok(outcome) => {
                session.release();
                outcome.map_err(|failure| (failure, false))
            }
            Err(failure) => Err((failure, session.has_begun_to_commit())),
        }
    }

    /// The rows that a statement finds.
    async fn ask(&self, mut session: Session, statement: Statement) -> Result<Vec<PgRow>, Failure> {
        let pooled = self.transaction_pooler;
        let question = async {
            // The statement is prepared in one exchange and executed in another. Only in a
            // transaction do both reach the same connection behind a pooler.
            if pooled {
                session.run(self.begin.clone()).await?;
            }
            let rows = session.rows(statement).await?;
            if pooled {
                session.run("COMMIT").await?;
            }
            Ok(rows)
        };
        let outcome = timeout(self.time_limit, question).await.unwrap_or(Err(Failure::TimedOut));
        match &outcome {
            Ok(_) => session.release(),
            Err(failure) if !pooled && failure.spares_connection() => session.release(),
            Err(_) => drop(session),
        }
        outcome
    }
}

impl Losses {
    /// Whether a connection should be tested, though it was in use a moment ago.
    pub(super) fn are_recent(&self) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last.elapsed() < WARY)
    }

    fn note(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// What was read after waiting for a lock must be what is there by then, and that only this level
/// does; the database or the role may have another one as its default.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// A commit must be durable: where the database or the role says otherwise it is set right, and left
/// alone where it is stronger.
const DURABLE: &str = "set_config('synchronous_commit',
     CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
          ELSE current_setting('synchronous_commit') END, true)";

/// Begins a transaction and sets, in the same exchange, what it needs.
fn begin(config: &PostgresConfig, prepared: bool) -> String {
    let mut begin = format!("{BEGIN}; SELECT {DURABLE}");
    if !prepared {
        for (name, time) in timeouts(config) {
            begin.push_str(&format!(", set_config('{name}', '{}', true)", time.as_millis()));
        }
    }
    begin
}

/// What the server is told about time, in milliseconds.
pub(super) fn timeouts(config: &PostgresConfig) -> [(&'static str, Duration); 3] {
    [
        ("statement_timeout", config.statement_timeout),
        ("lock_timeout", config.lock_timeout),
        ("idle_in_transaction_session_timeout", config.idle_in_transaction_timeout),
    ]
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
