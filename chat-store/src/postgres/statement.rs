use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Arguments, Encode, Postgres, Type};

/// A statement with its parameters, which can be sent more than once.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    sql: &'static str,
    arguments: PgArguments,
}

/// A statement without parameters so far.
pub(super) fn sql(sql: &'static str) -> Statement {
    Statement { sql, arguments: PgArguments::default() }
}

/// Whether Postgres can have a text, which may hold any character but one. Nothing that is stored
/// holds that, so what is looked for with it is not there.
pub(super) fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

impl Statement {
    /// Adds the next parameter.
    ///
    /// # Panics
    ///
    /// Never for the types used here: encoding fails only for values that are larger than the
    /// protocol has room for, or have no fixed length.
    pub(super) fn bind<'v, T>(mut self, value: T) -> Self
    where
        T: Encode<'v, Postgres> + Type<Postgres>,
    {
        self.arguments.add(value).expect("a value of a plain type can be encoded");
        self
    }

    /// The statement as the driver has it. Unless it is `kept`, it is prepared without a name and
    /// forgotten, since the next one may meet another connection of the server.
    pub(super) fn query(self, kept: bool) -> Query<'static, Postgres, PgArguments> {
        sqlx::query_with(self.sql, self.arguments).persistent(kept)
    }
}
