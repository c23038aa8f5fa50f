use std::sync::Arc;
use std::time::Duration;

use chat_core::broker::BrokerError;
use chat_core::store::StoreError;
use redis::{ErrorKind, ParsingError, RedisError, ServerErrorKind};

/// Why a call of Redis failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum CallError {
    /// This node has left.
    #[error("the connection to redis is closed")]
    Closed,
    /// There is no connection; it is being made anew, without regard to this call.
    #[error("there is no connection to redis")]
    Disconnected(#[source] Option<Arc<CallError>>),
    /// Whether the call was carried out is not known.
    #[error("redis did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The server of a slot is not known, because the cluster is being changed, or not whole.
    #[error("no server of the redis cluster has the slot")]
    NoServer,
    /// The server refused, or the connection broke.
    #[error("redis failed")]
    Redis(#[from] RedisError),
    /// The server said what it should not.
    #[error("redis answered something unexpected")]
    Answer(#[from] ParsingError),
}

impl CallError {
    /// Whether the connection is of no use any more.
    pub(super) fn breaks_connection(&self) -> bool {
        match self {
            Self::Redis(error) => {
                error.is_unrecoverable_error()
                    || error.is_connection_dropped()
                    || matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly))
            }
            _ => false,
        }
    }

    /// Whether another server has, or is to have, what was asked for.
    pub(super) fn is_about_layout(&self) -> bool {
        match self {
            Self::Redis(error) => error.is_cluster_error(),
            other => matches!(other, Self::NoServer),
        }
    }

    /// Whether the server does not let this node in, or not do what it wants.
    pub(super) fn is_denial(&self) -> bool {
        let Self::Redis(error) = self else { return false };
        matches!(
            error.kind(),
            ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm)
        ) || matches!(error.code(), Some("WRONGPASS" | "NOAUTH" | "NOPERM"))
    }

    /// Whether the same call may succeed later.
    fn may_pass(&self) -> bool {
        match self {
            Self::Redis(error) => match error.kind() {
                ErrorKind::Io => true,
                ErrorKind::Server(kind) => !matches!(
                    kind,
                    ServerErrorKind::ResponseError
                        | ServerErrorKind::CrossSlot
                        | ServerErrorKind::NoPerm
                ),
                _ => {
                    error.is_unrecoverable_error()
                        || matches!(error.code(), Some("BUSY" | "MISCONF" | "NOREPLICAS"))
                }
            },
            Self::Answer(_) => false,
            Self::Closed | Self::Disconnected(_) | Self::TimedOut(_) | Self::NoServer => true,
        }
    }
}

impl From<CallError> for BrokerError {
    fn from(error: CallError) -> Self {
        Self::new(error)
    }
}

impl From<CallError> for StoreError {
    fn from(error: CallError) -> Self {
        match &error {
            CallError::Redis(said) if said.code() == Some("OOM") => Self::Full(Box::new(error)),
            _ if error.may_pass() => Self::unavailable(error),
            _ => Self::failed(error),
        }
    }
}
