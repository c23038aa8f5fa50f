use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Arguments, Encode, Postgres, Type};

/// A statement with its parameters, which can be sent more than once.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    sql: &'static str,
    arguments: Result<PgArguments, TooLarge>,
}

/// A parameter is larger than the protocol has room for.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a parameter is too large")]
struct TooLarge;

/// A statement without parameters so far.
pub(super) fn sql(sql: &'static str) -> Statement {
    Statement { sql, arguments: Ok(PgArguments::default()) }
}

/// Whether Postgres can have a text, which may hold any character but one. Nothing that is stored
/// holds that, so what is looked for with it is not there.
pub(super) fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

impl Statement {
    /// Adds the next parameter. One that is too large fails the statement when it is sent.
    pub(super) fn bind<'v, T>(mut self, value: T) -> Self
    where
        T: Encode<'v, Postgres> + Type<Postgres>,
    {
        if let Ok(arguments) = &mut self.arguments
            && arguments.add(value).is_err()
        {
            self.arguments = Err(TooLarge);
        }
        self
    }

    /// The statement as the driver has it. Unless it is `kept`, it is prepared without a name and
    /// forgotten, since the next one may meet another connection of the server.
    pub(super) fn query(self, kept: bool) -> sqlx::Result<Query<'static, Postgres, PgArguments>> {
        let arguments = self.arguments.map_err(|error| sqlx::Error::Encode(error.into()))?;
        Ok(sqlx::query_with(self.sql, arguments).persistent(kept))
    }
}
