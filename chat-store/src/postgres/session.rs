use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, SqlSafeStr};
use tokio::time::timeout;

use super::CLOSE_TIMEOUT;
use super::statement::Statement;
use crate::failure::Failure;

/// A connection while it is used for one call. Unless it is [released](Self::release), it is closed
/// when this is dropped: nobody knows what it was in the middle of.
#[derive(Debug)]
pub(super) struct Session {
    connection: Option<PoolConnection<Postgres>>,
    keeps_statements: bool,
    after_uncertain: bool,
    committing: bool,
}

impl Session {
    pub(super) const fn new(connection: PoolConnection<Postgres>, keeps_statements: bool) -> Self {
        let connection = Some(connection);
        Self { connection, keeps_statements, after_uncertain: false, committing: false }
    }

    /// Says that this call has been tried before, and that nobody knows whether that took effect.
    #[must_use]
    pub(super) const fn after_uncertain(mut self, uncertain: bool) -> Self {
        self.after_uncertain = uncertain;
        self
    }

    /// Whether this call has been tried before and may have taken effect.
    pub(super) const fn is_after_uncertain(&self) -> bool {
        self.after_uncertain
    }

    /// Whether the server may have been told to commit.
    pub(super) const fn has_begun_to_commit(&self) -> bool {
        self.committing
    }

    pub(super) async fn rows(&mut self, statement: Statement) -> Result<Vec<PgRow>, Failure> {
        let query = statement.query(self.keeps_statements)?;
        Ok(query.fetch_all(self.connection()?).await?)
    }

    pub(super) async fn row(&mut self, statement: Statement) -> Result<Option<PgRow>, Failure> {
        let query = statement.query(self.keeps_statements)?;
        Ok(query.fetch_optional(self.connection()?).await?)
    }

    /// The row of a statement that always has one.
    pub(super) async fn one(&mut self, statement: Statement) -> Result<PgRow, Failure> {
        self.row(statement).await?.ok_or(Failure::Sql(sqlx::Error::RowNotFound))
    }

    /// Returns how many rows were changed.
    pub(super) async fn execute(&mut self, statement: Statement) -> Result<u64, Failure> {
        let query = statement.query(self.keeps_statements)?;
        Ok(query.execute(self.connection()?).await?.rows_affected())
    }

    /// Runs statements without parameters, several in one exchange.
    pub(super) async fn run(&mut self, statements: impl SqlSafeStr) -> Result<(), Failure> {
        sqlx::raw_sql(statements).execute(self.connection()?).await?;
        Ok(())
    }

    pub(super) async fn commit(&mut self) -> Result<(), Failure> {
        self.committing = true;
        self.run("COMMIT").await
    }

    /// Gives the connection back, in a task of its own and not for ever: the pool asks the server
    /// whether the connection is well.
    pub(super) fn release(mut self) {
        if let Some(mut connection) = self.connection.take() {
            tokio::spawn(timeout(CLOSE_TIMEOUT, connection.return_to_pool()));
        }
    }

    fn connection(&mut self) -> Result<&mut PgConnection, Failure> {
        self.connection.as_deref_mut().ok_or(Failure::Refused("a connection was given back twice"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Without farewell, which could wait: the server notices.
        drop(self.connection.take().map(PoolConnection::detach));
    }
}
