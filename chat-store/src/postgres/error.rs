//! Errors of Postgres by their codes (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).

use sqlx::postgres::PgDatabaseError;

use crate::failure::{Failure, Remedy};

/// What can be done about an error, by its SQLSTATE.
pub(crate) fn remedy(code: &str) -> Remedy {
    match code {
        DISK_FULL => Remedy::MakeRoom,
        QUERY_CANCELED | LOCK_NOT_AVAILABLE | READ_ONLY => Remedy::Wait,
        _ if is_conflict_code(code) || is_loss_code(code) => Remedy::Wait,
        // Out of connections or memory, and faults of the system below.
        _ if code.starts_with("53") || code.starts_with("58") => Remedy::Wait,
        _ => Remedy::Repair,
    }
}

const DISK_FULL: &str = "53100";
const QUERY_CANCELED: &str = "57014";
const LOCK_NOT_AVAILABLE: &str = "55P03";
const DUPLICATE_STATEMENT: &str = "42P05";
const NO_SUCH_STATEMENT: &str = "26000";
/// What a primary says that has become a replica.
const READ_ONLY: &str = "25006";

fn is_conflict_code(code: &str) -> bool {
    matches!(code, "40001" | "40P01")
}

fn is_loss_code(code: &str) -> bool {
    // Connection exceptions; the server shuts down, crashed, or starts; the session was ended.
    code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03")
}

/// The SQLSTATE, if the server gave one.
pub(super) fn state(error: &sqlx::Error) -> Option<&str> {
    let error = error.as_database_error()?;
    error.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::code)
}

impl Failure {
    fn code(&self) -> Option<&str> {
        if let Self::Sql(error) = self { state(error) } else { None }
    }

    /// Whether the time was up in which a statement may wait for a lock.
    pub(super) fn waited_for_lock(&self) -> bool {
        self.code() == Some(LOCK_NOT_AVAILABLE)
    }

    /// Whether the transaction was in another's way and was rolled back: a serialisation failure or
    /// a deadlock.
    pub(super) fn is_conflict(&self) -> bool {
        self.code().is_some_and(is_conflict_code)
    }

    /// Whether a prepared statement is there, or is not, as if the session were somebody else's.
    pub(super) fn is_of_foreign_session(&self) -> bool {
        matches!(self.code(), Some(DUPLICATE_STATEMENT | NO_SUCH_STATEMENT))
    }

    /// Whether the connection is gone, or none could be made at this moment.
    pub(super) fn is_loss(&self) -> bool {
        match self {
            Self::Sql(sqlx::Error::Io(_)) => true,
            _ => self.code().is_some_and(is_loss_code),
        }
    }

    /// Whether the connection may be used again, after a rollback.
    pub(super) fn spares_connection(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Json(_) => true,
            // A read-only server may have been the primary; the next connection will find that.
            _ => self.code().is_some_and(|code| code != READ_ONLY && !is_loss_code(code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_what_the_caller_can_do() {
        for code in
            ["08006", "57P01", "57P03", "53300", "53200", "57014", "55P03", "25006", "40001"]
        {
            assert_eq!(remedy(code), Remedy::Wait, "{code}");
        }
        assert_eq!(remedy("53100"), Remedy::MakeRoom);
        for code in ["23505", "42P01", "22021", "28P01"] {
            assert_eq!(remedy(code), Remedy::Repair, "{code}");
        }
    }
}
