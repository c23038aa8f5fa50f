//! The two closed vocabularies of failure: codes of answers, and codes of ended connections.

use serde::{Deserialize, Serialize};

/// What went wrong with one request: the stable `code` of an error frame and of a REST problem.
///
/// The accompanying text is for people and may change; programs match on the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The frame or body is not JSON, or not a JSON object of the protocol's shape.
    MalformedJson,
    /// The frame's `type` names no command of this version.
    UnknownType,
    /// The command or body lacks a field, or a field has the wrong type or an impossible value.
    InvalidPayload,
    /// The text has nothing to show: empty, or only spaces and invisible characters.
    TextEmpty,
    /// The text has more characters than the limit.
    TextTooLong,
    /// The text holds a character that cannot be accepted there.
    TextInvalid,
    /// A page larger than the limit was asked for.
    PageTooLarge,
    /// The cursor was not handed out by this list.
    InvalidCursor,
    /// There is no credential, or it is not valid.
    Unauthenticated,
    /// The credential was valid once.
    TokenExpired,
    /// The user name or the password is wrong; which of the two is not told.
    InvalidCredentials,
    /// The request is no WebSocket handshake, or one with something missing.
    BadHandshake,
    /// The request is not one of HTTP: it does not say to which host it goes, or says it twice.
    BadRequest,
    /// The path speaks WebSocket only, version 13.
    UpgradeRequired,
    /// The request comes from a web page of another origin.
    OriginNotAllowed,
    /// It does not exist, or it is not for this user: the two answer alike.
    NotFound,
    /// The user can see the thing but may not do this to it.
    Forbidden,
    /// A direct conversation needs somebody else.
    SelfConversation,
    /// Another user has this name, or one that looks the same.
    UsernameTaken,
    /// The user is the last member of the room: leaving it, perhaps for good, has to be confirmed.
    LastMember,
    /// The request contradicts the state of things.
    Conflict,
    /// Too many requests; `retryAfterMs` says when to try again.
    RateLimited,
    /// The user or the server has as many connections or memberships as allowed.
    TooMany,
    /// The body or frame has more bytes than the limit.
    PayloadTooLarge,
    /// The body is not `application/json`.
    UnsupportedMediaType,
    /// The path exists, but not with this method.
    MethodNotAllowed,
    /// A part of the system does not answer in time; the same request may succeed later.
    Unavailable,
    /// A fault of the server. The request may or may not have taken effect.
    Internal,
}

impl ErrorCode {
    /// The code as it is written on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::UnknownType => "unknown_type",
            Self::InvalidPayload => "invalid_payload",
            Self::TextEmpty => "text_empty",
            Self::TextTooLong => "text_too_long",
            Self::TextInvalid => "text_invalid",
            Self::PageTooLarge => "page_too_large",
            Self::InvalidCursor => "invalid_cursor",
            Self::Unauthenticated => "unauthenticated",
            Self::TokenExpired => "token_expired",
            Self::InvalidCredentials => "invalid_credentials",
            Self::BadHandshake => "bad_handshake",
            Self::BadRequest => "bad_request",
            Self::UpgradeRequired => "upgrade_required",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::SelfConversation => "self_conversation",
            Self::UsernameTaken => "username_taken",
            Self::LastMember => "last_member",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate_limited",
            Self::TooMany => "too_many",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status that carries this code (RFC 9110 §15).
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::MalformedJson
            | Self::UnknownType
            | Self::PageTooLarge
            | Self::InvalidCursor
            | Self::BadHandshake
            | Self::BadRequest => 400,
            Self::Unauthenticated | Self::TokenExpired | Self::InvalidCredentials => 401,
            Self::OriginNotAllowed | Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::UsernameTaken | Self::LastMember | Self::Conflict => 409,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::InvalidPayload
            | Self::TextEmpty
            | Self::TextTooLong
            | Self::TextInvalid
            | Self::SelfConversation => 422,
            Self::UpgradeRequired => 426,
            Self::RateLimited | Self::TooMany => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    /// Whether the same request, unchanged, can succeed later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::TooMany | Self::Unavailable | Self::Internal)
    }
}

/// Why the server ended a WebSocket connection (RFC 6455 §7.4.2: 4000–4999 are an application's own).
///
/// 4000–4499 ask the client to reconnect and resume; 4500–4999 ask it not to come back with the
/// same credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// The server is shutting down or being replaced.
    Draining,
    /// The client read more slowly than events came; what it missed can be resumed.
    SlowReader,
    /// The client did not answer a ping in time.
    HeartbeatTimeout,
    /// A fault of the server, or of what it depends on.
    ServerFault,
    /// No valid credential came within the time allowed.
    Unauthenticated,
    /// The login session behind this connection was revoked or logged out.
    SessionRevoked,
    /// The token behind this connection expired.
    TokenExpired,
    /// The user has as many connections as allowed.
    TooManySessions,
}

impl CloseCode {
    /// The number sent in the close frame.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Draining => 4000,
            Self::SlowReader => 4001,
            Self::HeartbeatTimeout => 4002,
            Self::ServerFault => 4003,
            Self::Unauthenticated => 4500,
            Self::SessionRevoked => 4501,
            Self::TokenExpired => 4502,
            Self::TooManySessions => 4503,
        }
    }

    /// The text sent in the close frame: what happened and what to do, in at most 123 bytes.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Draining => "the server is restarting: reconnect and resume",
            Self::SlowReader => "events came faster than they were read: reconnect and resume",
            Self::HeartbeatTimeout => "no pong came in time: reconnect and resume",
            Self::ServerFault => "a fault of the server: reconnect and resume",
            Self::Unauthenticated => "no valid credential came in time: log in first",
            Self::SessionRevoked => "the login session has ended: log in again",
            Self::TokenExpired => "the token has expired: connect with a new one",
            Self::TooManySessions => "too many connections of this user: close one first",
        }
    }

    /// Whether the client should reconnect and resume.
    #[must_use]
    pub const fn is_resumable(self) -> bool {
        self.code() < 4500
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_written_the_same_everywhere() {
        for code in [ErrorCode::MalformedJson, ErrorCode::TooMany, ErrorCode::TextTooLong] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn close_codes_say_whether_to_come_back() {
        assert!(CloseCode::SlowReader.is_resumable());
        assert!(!CloseCode::SessionRevoked.is_resumable());
        assert!(CloseCode::SlowReader.reason().len() <= 123);
    }
}
