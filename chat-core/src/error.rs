use std::time::Duration;

use chat_proto::{CursorError, ErrorCode, ErrorPayload, TextError};

use crate::store::StoreError;

/// Why the engine refused or failed a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// It does not exist, or it is not for this user: the two are told alike.
    #[error("there is no such thing, or it is not for you")]
    NotFound,
    /// The user may see it but not do this to it.
    #[error("{0}")]
    Forbidden(&'static str),
    /// A value is impossible.
    #[error("{0}")]
    Invalid(&'static str),
    /// The value of one field is impossible, or is needed and missing.
    #[error("{reason}")]
    Field {
        /// The field.
        name: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A text is refused.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A larger page than allowed was asked for.
    #[error("a page has 1 to {max} items")]
    PageTooLarge {
        /// The most items of a page.
        max: usize,
    },
    /// A cursor is refused.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// A direct conversation needs somebody else.
    #[error("a direct conversation needs somebody else")]
    SelfConversation,
    /// The user is the last member of a room, and did not say that leaving is meant.
    #[error(
        "you are the last member: once you leave, nobody is there to read or to invite; \
         say confirm to leave all the same"
    )]
    LastMember,
    /// The request contradicts the state of things.
    #[error("{0}")]
    Conflict(&'static str),
    /// Too many requests.
    #[error("too many requests: try again in {} ms", retry_after.as_millis())]
    RateLimited {
        /// When to try again.
        retry_after: Duration,
    },
    /// The user has as many of something as allowed.
    #[error("{0}")]
    TooMany(&'static str),
    /// A queue is full, or the engine is shutting down.
    #[error("the server is busy: try again")]
    Busy,
    /// The store did not answer in time. A write may or may not have taken effect.
    #[error("the store did not answer in time: try again")]
    Timeout,
    /// The store did not do its part.
    #[error("{}", told(.0))]
    Store(#[from] StoreError),
}

/// When to try again what may work in a moment.
const SOON: Duration = Duration::from_secs(1);
/// When to try again what somebody has to look after first.
const LATER: Duration = Duration::from_secs(30);

/// What people are told of a failure of the store.
const fn told(error: &StoreError) -> &'static str {
    match error {
        StoreError::Full(_) => {
            "the server has no room to store this: nothing was stored, try again later"
        }
        StoreError::Unavailable(_) | StoreError::CircuitOpen { .. } => {
            "the server cannot reach its database at this moment: try again"
        }
        StoreError::Failed(_) => "the request could not be carried out: try again later",
    }
}

impl ChatError {
    /// The protocol's code for this error.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::Forbidden(_) => ErrorCode::Forbidden,
            Self::Invalid(_) | Self::Field { .. } => ErrorCode::InvalidPayload,
            Self::Text(error) => error.code(),
            Self::PageTooLarge { .. } => ErrorCode::PageTooLarge,
            Self::Cursor(_) => ErrorCode::InvalidCursor,
            Self::SelfConversation => ErrorCode::SelfConversation,
            Self::LastMember => ErrorCode::LastMember,
            Self::Conflict(_) => ErrorCode::Conflict,
            Self::RateLimited { .. } => ErrorCode::RateLimited,
            Self::TooMany(_) => ErrorCode::TooMany,
            Self::Store(StoreError::Failed(_)) => ErrorCode::Internal,
            Self::Busy | Self::Timeout | Self::Store(_) => ErrorCode::Unavailable,
        }
    }

    /// The field or parameter of the request that is to blame, where it is one.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::Field { name, .. } => Some(name),
            Self::PageTooLarge { .. } => Some("limit"),
            Self::Cursor(_) => Some("cursor"),
            // Names are refused where they are read; a message's text is read here.
            Self::Text(_) => Some("content"),
            _ => None,
        }
    }

    /// When to try again, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after }
            | Self::Store(StoreError::CircuitOpen { retry_after }) => Some(*retry_after),
            Self::Busy | Self::Timeout | Self::Store(StoreError::Unavailable(_)) => Some(SOON),
            Self::Store(StoreError::Full(_)) => Some(LATER),
            _ => None,
        }
    }

    /// Whether the store did not answer: what needs no truth may go on without it.
    pub(crate) const fn is_store_away(&self) -> bool {
        match self {
            Self::Timeout => true,
            Self::Store(error) => error.is_unavailable(),
            _ => false,
        }
    }

    /// Whether the store was not even asked. Whoever refuses has said why, once; to say it for each
    /// call would only fill the log.
    pub(crate) const fn is_refusal(&self) -> bool {
        matches!(self, Self::Store(StoreError::CircuitOpen { .. }))
    }

    /// The error as a client is told of it: never with the cause, which belongs in the log.
    #[must_use]
    pub fn payload(&self) -> ErrorPayload {
        let mut payload = ErrorPayload::new(self.code(), self.to_string());
        payload.field = self.field().map(str::to_owned);
        payload.retry_after_ms =
            self.retry_after().map(|after| after.as_millis().try_into().unwrap_or(u64::MAX).max(1));
        payload
    }
}
