use chat_core::store::StoreError;
use sqlx::error::DatabaseError;

/// Why a statement or transaction failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The database refused, or did not answer.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// A value cannot be handed to the database.
    #[error("a value could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The task of a write came to no end.
    #[error("a write was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
    /// The caller asked for what must not be.
    #[error("{0}")]
    Refused(&'static str),
}

/// Sorts failures by what the caller can do.
impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match &failure {
            Failure::Sql(error) => match error {
                sqlx::Error::Database(database) => match primary_code(database.as_ref()) {
                    Some(FULL) => Self::Full(failure.into()),
                    Some(NOMEM | BUSY | LOCKED | INTERRUPT | IOERR | CANTOPEN | PROTOCOL) => {
                        Self::unavailable(failure)
                    }
                    _ => Self::failed(failure),
                },
                sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => Self::unavailable(failure),
                _ => Self::failed(failure),
            },
            Failure::Interrupted(task) if task.is_cancelled() => Self::unavailable(failure),
            _ => Self::failed(failure),
        }
    }
}

// Primary result codes (https://www.sqlite.org/rescode.html).
pub(super) const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const NOMEM: i32 = 7;
pub(super) const READONLY: i32 = 8;
const INTERRUPT: i32 = 9;
const IOERR: i32 = 10;
const FULL: i32 = 13;
pub(super) const CANTOPEN: i32 = 14;
const PROTOCOL: i32 = 15;
pub(super) const NOTADB: i32 = 26;

/// The kind of an error of SQLite: the low byte of its extended code.
pub(super) fn primary_code(error: &(dyn DatabaseError + 'static)) -> Option<i32> {
    error.code()?.parse::<i32>().ok().map(|code| code & 0xFF)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn failures_are_sorted_by_what_the_caller_can_do() {
        let sorted = |failure: Failure| StoreError::from(failure);
        assert!(matches!(sorted(sqlx::Error::PoolTimedOut.into()), StoreError::Unavailable(_)));
        let io = sqlx::Error::Io(io::ErrorKind::BrokenPipe.into());
        assert!(matches!(sorted(io.into()), StoreError::Unavailable(_)));
        assert!(matches!(sorted(sqlx::Error::RowNotFound.into()), StoreError::Failed(_)));
        assert!(matches!(sorted(Failure::Refused("no")), StoreError::Failed(_)));
    }
}
