use std::error::Error;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::de::value::StrDeserializer;
use sqlx::{ColumnIndex, Decode, Row, Type};
use uuid::Uuid;

/// Reads the columns of a row by their names, of whichever database.
pub(crate) trait Columns {
    /// An id that is a UUID.
    fn id<T: From<Uuid>>(&self, name: &str) -> sqlx::Result<T>;
    /// A number that is never negative.
    fn number(&self, name: &str) -> sqlx::Result<u64>;
    /// The same where it may be null.
    fn optional_number(&self, name: &str) -> sqlx::Result<Option<u64>>;
    fn time(&self, name: &str) -> sqlx::Result<Timestamp>;
    fn optional_time(&self, name: &str) -> sqlx::Result<Option<Timestamp>>;
    fn text(&self, name: &str) -> sqlx::Result<&str>;
    fn optional_text(&self, name: &str) -> sqlx::Result<Option<&str>>;
    fn bytes(&self, name: &str) -> sqlx::Result<&[u8]>;
    fn is_null(&self, name: &str) -> sqlx::Result<bool>;

    /// An id that is a text.
    fn parsed<T>(&self, name: &str) -> sqlx::Result<T>
    where
        T: FromStr<Err: Error + Send + Sync + 'static>,
    {
        self.text(name)?.parse().map_err(|error| decode(name, error))
    }

    /// A word of the protocol.
    fn word<T: DeserializeOwned>(&self, name: &str) -> sqlx::Result<T> {
        T::deserialize(StrDeserializer::<serde::de::value::Error>::new(self.text(name)?))
            .map_err(|error| decode(name, error))
    }
}

impl<R: Row> Columns for R
where
    for<'n> &'n str: ColumnIndex<R>,
    for<'r> &'r str: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> &'r [u8]: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Uuid: Decode<'r, R::Database> + Type<R::Database>,
{
    fn id<T: From<Uuid>>(&self, name: &str) -> sqlx::Result<T> {
        Ok(self.try_get::<Uuid, _>(name)?.into())
    }

    fn number(&self, name: &str) -> sqlx::Result<u64> {
        u64::try_from(self.try_get::<i64, _>(name)?).map_err(|error| decode(name, error))
    }

    fn optional_number(&self, name: &str) -> sqlx::Result<Option<u64>> {
        let number: Option<i64> = self.try_get(name)?;
        number.map(|number| u64::try_from(number).map_err(|error| decode(name, error))).transpose()
    }

    fn time(&self, name: &str) -> sqlx::Result<Timestamp> {
        Timestamp::from_microsecond(self.try_get(name)?).map_err(|error| decode(name, error))
    }

    fn optional_time(&self, name: &str) -> sqlx::Result<Option<Timestamp>> {
        let time: Option<i64> = self.try_get(name)?;
        let time = time.map(Timestamp::from_microsecond).transpose();
        time.map_err(|error| decode(name, error))
    }

    fn text(&self, name: &str) -> sqlx::Result<&str> {
        self.try_get(name)
    }

    fn optional_text(&self, name: &str) -> sqlx::Result<Option<&str>> {
        self.try_get(name)
    }

    fn bytes(&self, name: &str) -> sqlx::Result<&[u8]> {
        self.try_get(name)
    }

    fn is_null(&self, name: &str) -> sqlx::Result<bool> {
        use sqlx::ValueRef;
        Ok(self.try_get_raw(name)?.is_null())
    }
}

/// A value in the database is not what it should be.
pub(crate) fn decode(column: &str, error: impl Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.into(), source: Box::new(error) }
}
