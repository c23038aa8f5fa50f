//! Many rows as one value.
//!
//! Each row that the driver hands over wakes whoever waits for it. A statement that reads for many
//! callers at once answers with a single row instead, in which its rows are arrays of JSON.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use uuid::Uuid;

use crate::columns::{Columns, decode};

/// Names the columns of a row, and makes a macro that writes them as an array of JSON, ids as
/// hexadecimal text.
macro_rules! json_columns {
    (@ $column:literal) => { $column };
    (@ id $column:literal) => { concat!("nullif(hex(", $column, "), '')") };
    (
        $names:ident, $array:ident:
        $($first_id:ident)? $first:literal $(, $($id:ident)? $column:literal)* $(,)?
    ) => {
        const $names: &[&str] = &[$first $(, $column)*];

        macro_rules! $array {
            () => {
                concat!(
                    "json_array(",
                    $crate::sqlite::json_row::json_columns!(@ $($first_id)? $first)
                    $(, ", ", $crate::sqlite::json_row::json_columns!(@ $($id)? $column))*,
                    ")"
                )
            };
        }
    };
}
pub(super) use json_columns;

/// A row that came as an array of JSON.
#[derive(Debug)]
pub(super) struct JsonRow<'a> {
    names: &'static [&'static str],
    values: Vec<Value<'a>>,
}

impl<'a> JsonRow<'a> {
    /// Rows whose columns have these names.
    pub(super) fn all(names: &'static [&'static str], rows: Vec<Vec<Value<'a>>>) -> Vec<Self> {
        rows.into_iter().map(|values| Self { names, values }).collect()
    }

    fn value(&self, name: &str) -> sqlx::Result<&Value<'a>> {
        let place = self.names.iter().position(|known| *known == name);
        place
            .and_then(|place| self.values.get(place))
            .ok_or_else(|| sqlx::Error::ColumnNotFound(name.to_owned()))
    }

    fn integer(&self, name: &str) -> sqlx::Result<Option<i64>> {
        match self.value(name)? {
            Value::Integer(number) => Ok(Some(*number)),
            Value::Null => Ok(None),
            Value::Text(_) => Err(decode(name, Unexpected)),
        }
    }
}

/// A column holds another kind of value, or none.
#[derive(Debug, thiserror::Error)]
#[error("this is another kind of value")]
struct Unexpected;

impl Columns for JsonRow<'_> {
    fn id<T: From<Uuid>>(&self, name: &str) -> sqlx::Result<T> {
        Ok(Uuid::try_parse(self.text(name)?).map_err(|error| decode(name, error))?.into())
    }

    fn number(&self, name: &str) -> sqlx::Result<u64> {
        self.optional_number(name)?.ok_or_else(|| decode(name, Unexpected))
    }

    fn optional_number(&self, name: &str) -> sqlx::Result<Option<u64>> {
        let number = self.integer(name)?.map(u64::try_from).transpose();
        number.map_err(|error| decode(name, error))
    }

    fn time(&self, name: &str) -> sqlx::Result<Timestamp> {
        self.optional_time(name)?.ok_or_else(|| decode(name, Unexpected))
    }

    fn optional_time(&self, name: &str) -> sqlx::Result<Option<Timestamp>> {
        let time = self.integer(name)?.map(Timestamp::from_microsecond).transpose();
        time.map_err(|error| decode(name, error))
    }

    fn text(&self, name: &str) -> sqlx::Result<&str> {
        self.optional_text(name)?.ok_or_else(|| decode(name, Unexpected))
    }

    fn optional_text(&self, name: &str) -> sqlx::Result<Option<&str>> {
        match self.value(name)? {
            Value::Text(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            Value::Integer(_) => Err(decode(name, Unexpected)),
        }
    }

    fn bytes(&self, name: &str) -> sqlx::Result<&[u8]> {
        // Bytes do not come as JSON.
        Err(decode(name, Unexpected))
    }

    fn is_null(&self, name: &str) -> sqlx::Result<bool> {
        Ok(matches!(self.value(name)?, Value::Null))
    }
}

/// A value of a column.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;

        impl<'de> Visitor<'de> for Values {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, an integer or null")
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Value::Null)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Value::Integer(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                i64::try_from(number).map(Value::Integer).map_err(E::custom)
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Value::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Value::Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_any(Values)
    }
}
