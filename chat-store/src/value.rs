//! Values on their way into a database.

use chat_core::proto::UserId;
use jiff::Timestamp;
use serde::Serialize;

use crate::failure::Failure;

/// A time to the microsecond: what a database keeps of it.
pub(crate) fn to_microsecond(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// A number as databases have numbers. Those beyond stand for "more than there can be".
pub(crate) fn integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A word of the protocol, such as the kind of a conversation.
pub(crate) fn word(value: impl Serialize) -> Result<String, Failure> {
    match serde_json::to_value(value)? {
        serde_json::Value::String(word) => Ok(word),
        _ => Err(Failure::Refused("a value is not one word")),
    }
}

/// Many values as one JSON text.
pub(crate) fn json(values: impl Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string(&values)?)
}

/// The least text after all that begin with `prefix`, in the order of bytes, if there is one.
pub(crate) fn end_of(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// Two users in the order in which a pair is recorded.
pub(crate) fn pair<'a>(one: &'a UserId, other: &'a UserId) -> (&'a UserId, &'a UserId) {
    if one < other { (one, other) } else { (other, one) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_texts_ends_where_the_prefix_does() {
        assert_eq!(end_of("ab").as_deref(), Some("ac"));
        assert_eq!(end_of("a\u{D7FF}").as_deref(), Some("a\u{E000}"));
        assert_eq!(end_of("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(end_of("\u{10FFFF}"), None);
        assert_eq!(end_of(""), None);
    }
}
