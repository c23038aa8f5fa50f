//! Values on their way into the database and out of it.

use std::error::Error;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::de::value::StrDeserializer;
use serde::{Serialize, Serializer};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::error::Failure;

/// A time to the microsecond: what the database keeps of it.
pub(super) fn to_microsecond(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// A number as SQLite has numbers. Those beyond stand for "more than there can be".
pub(super) fn integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A word of the protocol, such as the kind of a conversation.
pub(super) fn word(value: impl Serialize) -> Result<String, Failure> {
    match serde_json::to_value(value)? {
        serde_json::Value::String(word) => Ok(word),
        _ => Err(Failure::Refused("a value is not one word")),
    }
}

/// Many values in one parameter, to be opened with `json_each`.
pub(super) fn json(values: impl Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string(&values)?)
}

/// An id inside of JSON, to be opened with `unhex`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hex(pub(super) Uuid);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0.as_simple())
    }
}

/// Reads the columns of a row by their names.
pub(super) trait Columns {
    /// An id that is a UUID.
    fn id<T: From<Uuid>>(&self, name: &str) -> sqlx::Result<T>;
    /// A number that is never negative.
    fn number(&self, name: &str) -> sqlx::Result<u64>;
    /// The same where it may be null.
    fn optional_number(&self, name: &str) -> sqlx::Result<Option<u64>>;
    fn time(&self, name: &str) -> sqlx::Result<Timestamp>;
    fn optional_time(&self, name: &str) -> sqlx::Result<Option<Timestamp>>;
    /// An id that is a text.
    fn parsed<T: FromStr<Err: Error + Send + Sync + 'static>>(&self, name: &str)
    -> sqlx::Result<T>;
    /// A word of the protocol.
    fn word<T: DeserializeOwned>(&self, name: &str) -> sqlx::Result<T>;
}

impl Columns for SqliteRow {
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

    fn parsed<T: FromStr<Err: Error + Send + Sync + 'static>>(
        &self,
        name: &str,
    ) -> sqlx::Result<T> {
        self.try_get::<&str, _>(name)?.parse().map_err(|error| decode(name, error))
    }

    fn word<T: DeserializeOwned>(&self, name: &str) -> sqlx::Result<T> {
        let word: &str = self.try_get(name)?;
        T::deserialize(StrDeserializer::<serde::de::value::Error>::new(word))
            .map_err(|error| decode(name, error))
    }
}

/// A value in the database is not what it should be.
fn decode(column: &str, error: impl Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.into(), source: Box::new(error) }
}
