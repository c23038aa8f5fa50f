//! Lists: an array in a file, or words with commas between them there and elsewhere.

use serde_json::Value;

/// The items of a list that is written as one text.
pub(super) fn items(text: &str) -> Value {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect()
}
