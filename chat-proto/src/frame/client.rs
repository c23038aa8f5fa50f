use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Command, ErrorPayload};
use crate::ErrorCode;

/// The number by which a client recognises the answer to a command.
pub type FrameId = u64;

/// A frame from a client: `{"id": 7, "type": "message.send", "payload": {…}}`.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientFrame {
    /// Returned in the answer; a command without one is answered without one.
    pub id: Option<FrameId>,
    /// What to do.
    pub command: Command,
}

/// Why a frame is not a command, with as much of it as could be read.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    /// The frame's `id`, when it could be read, so that the answer can name it.
    pub id: Option<FrameId>,
    /// [`ErrorCode::MalformedJson`], [`ErrorCode::UnknownType`] or [`ErrorCode::InvalidPayload`].
    pub code: ErrorCode,
    /// What is wrong, for the developer of the client.
    pub message: String,
    /// The field of the payload that is to blame, where it is one.
    pub field: Option<String>,
}

impl From<DecodeError> for ErrorPayload {
    /// The error as the client is told of it.
    fn from(error: DecodeError) -> Self {
        Self { field: error.field, ..Self::new(error.code, error.message) }
    }
}

/// The outer frame. The payload is read only once its type is known, without an intermediate tree.
#[derive(Deserialize)]
struct Envelope<'a> {
    id: Option<FrameId>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

impl ClientFrame {
    /// Reads a frame. Unknown fields are ignored.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], which names the `id` of the frame where it has one.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        let malformed = |why: &dyn std::fmt::Display| DecodeError {
            id: None,
            code: ErrorCode::MalformedJson,
            message: format!("not a frame {{\"id\", \"type\", \"payload\"}}: {why}"),
            field: None,
        };
        if !is_object(text) {
            return Err(malformed(&"it is not a JSON object"));
        }
        let envelope: Envelope<'_> =
            serde_json::from_str(text).map_err(|error| malformed(&error))?;
        let id = envelope.id;
        let payload = envelope.payload.map_or("{}", |payload| match payload.get() {
            "null" => "{}",
            text => text,
        });
        if !is_object(payload) {
            return Err(DecodeError {
                id,
                code: ErrorCode::InvalidPayload,
                message: format!("the payload of {} is not a JSON object", envelope.kind),
                field: None,
            });
        }
        match Command::decode(&envelope.kind, payload) {
            Some(Ok(command)) => Ok(Self { id, command }),
            Some(Err(error)) => Err(DecodeError {
                id,
                code: ErrorCode::InvalidPayload,
                message: format!("the payload of {} is wrong: {error}", envelope.kind),
                field: error.field,
            }),
            None => Err(DecodeError {
                id,
                code: ErrorCode::UnknownType,
                message: format!(
                    "{:?} is no command of {}",
                    envelope.kind.chars().take(64).collect::<String>(),
                    crate::SUBPROTOCOL
                ),
                field: None,
            }),
        }
    }
}

/// Whether JSON is an object. Readers of records take arrays of the same fields as well, and the
/// order of fields is no part of the protocol.
fn is_object(json: &str) -> bool {
    json.trim_start().starts_with('{')
}
