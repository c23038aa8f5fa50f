use serde::Deserialize;

/// The field of an object that is missing or wrong, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WrongField {
    /// Its name, such as `limit` or `cursors.x`; none where the fault is no single field's.
    pub field: Option<String>,
    /// What is wrong, for the developer of the client. It may repeat the value.
    pub message: String,
}

/// Reads the fields of a JSON object. Unknown ones are ignored.
///
/// Commands and the bodies of requests are read by this, so that the same wrong value is told in the
/// same words over both.
///
/// # Errors
///
/// [`WrongField`], also for what is no JSON.
pub fn read_fields<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, WrongField> {
    // Where a field is, is only found out for those that are wrong: it costs a note for each.
    if let Ok(fields) = serde_json::from_str(json) {
        return Ok(fields);
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let read = serde_path_to_error::deserialize(&mut deserializer);
    read.map_err(|error| wrong_field(error.path(), &error.inner().to_string()))
}

fn wrong_field(path: &serde_path_to_error::Path, error: &str) -> WrongField {
    // What is wrong comes first, then the line and the column.
    let error = error.rsplit_once(" at line ").map_or(error, |(what, _)| what);
    let named = |kind: &str| {
        let name = error.strip_prefix(kind)?.strip_prefix(" field `")?.strip_suffix('`')?;
        // The object that the field belongs to may be a field itself.
        let parent = if path.iter().next().is_none() { String::new() } else { format!("{path}.") };
        Some(format!("{parent}{name}"))
    };
    if let Some(name) = named("missing") {
        let message = format!("the field \"{name}\" is missing");
        return WrongField { field: Some(name), message };
    }
    if let Some(name) = named("duplicate") {
        let message = format!("the field \"{name}\" is given twice");
        return WrongField { field: Some(name), message };
    }
    if path.iter().next().is_none() {
        return WrongField { field: None, message: error.to_owned() };
    }
    let message = format!("the field \"{path}\" is wrong: {error}");
    WrongField { field: Some(path.to_string()), message }
}
