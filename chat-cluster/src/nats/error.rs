use std::error::Error;

use async_nats::jetstream::ErrorCode;
use async_nats::{RequestError, RequestErrorKind, jetstream};
use chat_core::broker::BrokerError;
use chat_core::store::StoreError;

/// Why NATS did not do what it was asked. None of them shows what was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum NatsError {
    /// This node has left.
    #[error("the connection to NATS has been closed")]
    Closed,
    /// The connection broke and is not back yet: nothing was tried.
    #[error("the connection to NATS is being made anew")]
    Away,
    /// The answer did not come. What was asked may have been done.
    #[error("NATS did not answer in time")]
    TimedOut,
    /// Nobody listens at the subject: a bucket is not there, or JetStream is not.
    #[error("NATS does not have what was asked for")]
    Missing,
    /// A message is larger than the server takes.
    #[error("a message of {size} bytes is more than the {max} that NATS takes")]
    TooLarge {
        /// What was to be sent.
        size: usize,
        /// What the server takes.
        max: usize,
    },
    /// Others changed the same each time before this node could.
    #[error("others change the same too often")]
    Contended,
    /// JetStream has no room for more.
    #[error("JetStream is full")]
    Full(#[source] jetstream::Error),
    /// JetStream answered that it does not.
    #[error("JetStream refused")]
    Refused(#[source] jetstream::Error),
    /// What was read is not what nodes write.
    #[error("what NATS keeps is not understood")]
    Damaged(#[source] Box<dyn Error + Send + Sync>),
    /// Anything else the client says.
    #[error("NATS could not be asked")]
    Client(#[source] Box<dyn Error + Send + Sync>),
}

impl NatsError {
    pub(super) fn client(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Client(source.into())
    }

    pub(super) fn damaged(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Damaged(source.into())
    }
}

impl From<RequestError> for NatsError {
    fn from(error: RequestError) -> Self {
        match error.kind() {
            RequestErrorKind::NoResponders => Self::Missing,
            RequestErrorKind::TimedOut => Self::TimedOut,
            _ => Self::client(error),
        }
    }
}

impl From<jetstream::Error> for NatsError {
    fn from(error: jetstream::Error) -> Self {
        match error.error_code() {
            ErrorCode::STREAM_NOT_FOUND => Self::Missing,
            ErrorCode::INSUFFICIENT_RESOURCES
            | ErrorCode::MEMORY_RESOURCES_EXCEEDED
            | ErrorCode::STORAGE_RESOURCES_EXCEEDED => Self::Full(error),
            _ => Self::Refused(error),
        }
    }
}

impl From<NatsError> for BrokerError {
    fn from(error: NatsError) -> Self {
        Self::new(error)
    }
}

impl From<NatsError> for StoreError {
    fn from(error: NatsError) -> Self {
        match error {
            NatsError::Full(_) => Self::Full(error.into()),
            NatsError::Refused(_) | NatsError::Damaged(_) | NatsError::TooLarge { .. } => {
                Self::failed(error)
            }
            NatsError::Closed
            | NatsError::Away
            | NatsError::TimedOut
            | NatsError::Missing
            | NatsError::Contended
            | NatsError::Client(_) => Self::unavailable(error),
        }
    }
}
