use std::error::Error;
use std::sync::Arc;

use chat_core::store::StoreError;
use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;

use crate::{postgres, sqlite};

/// Why a statement or transaction failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The database refused, or did not answer.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// A value cannot be handed to the database.
    #[error("a value could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The task of a read or write came to no end.
    #[error("a call of the database was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
    /// The database did not answer within the time that a call may take.
    #[error("the database did not answer in time")]
    TimedOut,
    /// The transaction failed in which this was to be done together with what others asked for.
    #[error("{0}")]
    Shared(Arc<Failure>),
    /// The transaction was given up in which this was to be done: the work of another caller panicked.
    #[error("the transaction was given up")]
    GivenUp,
    /// The caller asked for what must not be.
    #[error("{0}")]
    Refused(&'static str),
}

/// What the caller of a store can do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Try again.
    Wait,
    /// Make room.
    MakeRoom,
    /// Nothing but to repair.
    Repair,
}

impl Failure {
    /// What an operator is told of it.
    pub(crate) fn into_cause(self) -> Box<dyn Error + Send + Sync> {
        match self {
            Self::Sql(error) => cause(error),
            Self::Shared(failure) => match Arc::try_unwrap(failure) {
                Ok(failure) => failure.into_cause(),
                Err(shared) => match &*shared {
                    Self::Sql(sqlx::Error::Database(error)) => text(error.as_ref()).into(),
                    other => other.to_string().into(),
                },
            },
            other => other.into(),
        }
    }

    fn remedy(&self) -> Remedy {
        match self {
            Self::Sql(sqlx::Error::Database(error)) => {
                match error.try_downcast_ref::<PgDatabaseError>() {
                    Some(error) => postgres::remedy(error.code()),
                    None => sqlite::remedy(error.as_ref()),
                }
            }
            Self::Sql(
                sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed,
            )
            | Self::TimedOut
            | Self::GivenUp => Remedy::Wait,
            Self::Shared(failure) => failure.remedy(),
            Self::Interrupted(task) if task.is_cancelled() => Remedy::Wait,
            _ => Remedy::Repair,
        }
    }
}

/// What the driver was told, without its frame, which says the same as what it frames.
pub(crate) fn cause(error: sqlx::Error) -> Box<dyn Error + Send + Sync> {
    match error {
        sqlx::Error::Io(error) => error.into(),
        // A frame may hold another one.
        sqlx::Error::Configuration(error) | sqlx::Error::Tls(error) => {
            error.downcast().map_or_else(|error| error, |error| cause(*error))
        }
        sqlx::Error::Database(error) => text(error.as_ref()).into(),
        // A migration tells its number before its cause.
        sqlx::Error::Migrate(error) => match *error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => cause(error),
            other => other.into(),
        },
        other => other.into(),
    }
}

/// What a database said, with its code.
fn text(error: &dyn DatabaseError) -> String {
    match error.code() {
        Some(code) => format!("{} ({code})", error.message()),
        None => error.message().to_owned(),
    }
}

/// Sorts failures by what the caller can do.
impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure.remedy() {
            Remedy::Wait => Self::unavailable(failure.into_cause()),
            Remedy::MakeRoom => Self::Full(failure.into_cause()),
            Remedy::Repair => Self::failed(failure.into_cause()),
        }
    }
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
        assert!(matches!(sorted(Failure::TimedOut), StoreError::Unavailable(_)));
        assert!(matches!(sorted(sqlx::Error::RowNotFound.into()), StoreError::Failed(_)));
        assert!(matches!(sorted(Failure::Refused("no")), StoreError::Failed(_)));
    }
}
