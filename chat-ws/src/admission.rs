use std::sync::Arc;
use std::time::Duration;

use chat_core::auth::{AuthError, Authenticator};
use chat_core::proto::{CloseCode, ErrorCode, ErrorPayload};
use chat_core::store::StoreError;
use chat_core::{Chat, ChatError, Session};
use secrecy::SecretString;
use tokio::time::timeout;

/// Why a connection gets no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Denied {
    #[error(transparent)]
    Credential(#[from] AuthError),
    #[error(transparent)]
    Engine(#[from] ChatError),
    #[error("the token was not checked in time: try again")]
    Timeout,
}

impl Denied {
    /// What the client is told.
    pub(crate) fn payload(&self) -> ErrorPayload {
        let code = match self {
            Self::Engine(error) => return error.payload(),
            Self::Credential(AuthError::Invalid) => ErrorCode::Unauthenticated,
            Self::Credential(AuthError::Expired) => ErrorCode::TokenExpired,
            Self::Credential(_) | Self::Timeout => ErrorCode::Unavailable,
        };
        let mut payload = ErrorPayload::new(code, self.to_string());
        let milliseconds = |after: Duration| u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        payload.retry_after_ms = self.refused_for().map(milliseconds);
        payload
    }

    /// For how long, where the store is away and was not even asked.
    fn refused_for(&self) -> Option<Duration> {
        match self {
            Self::Engine(ChatError::Store(StoreError::CircuitOpen { retry_after })) => {
                Some(*retry_after)
            }
            Self::Credential(error) => error.retry_after(),
            Self::Engine(_) | Self::Timeout => None,
        }
    }

    /// How a connection that is already open is closed. What may pass gets a code that asks the
    /// client to come back.
    pub(crate) fn close_code(&self) -> CloseCode {
        match self {
            Self::Engine(ChatError::TooMany(_)) => CloseCode::TooManySessions,
            Self::Engine(ChatError::Busy) => CloseCode::Draining,
            _ if self.payload().code.is_retryable() => CloseCode::ServerFault,
            _ => CloseCode::Unauthenticated,
        }
    }

    /// Tells the operator, where it is not the client's doing.
    pub(crate) fn log(&self) {
        match self.payload().code {
            // Why is in the log already.
            _ if self.refused_for().is_some() => {}
            ErrorCode::Unavailable | ErrorCode::Internal => {
                tracing::warn!(error = chain(self), "a connection could not be admitted");
            }
            code => tracing::debug!(code = code.as_str(), "a connection was denied"),
        }
    }
}

/// Whoever can tell who connects and give them a session.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    pub(crate) chat: Chat,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    /// How long all of it may take.
    pub(crate) timeout: Duration,
}

impl Admission {
    /// Checks a token and attaches its user's device.
    ///
    /// A login can end between the two, when its connections are told to end and this one is not
    /// yet among them. So a token that can be revoked is checked once more when it is: a login
    /// that ends from here on ends the session, too.
    pub(crate) async fn admit(&self, token: &SecretString) -> Result<Session, Denied> {
        let admitted = timeout(self.timeout, async {
            let identity = self.authenticator.authenticate(token).await?;
            let session = self.chat.attach(&identity).await?;
            if identity.login.is_some() {
                self.authenticator.authenticate(token).await?;
            }
            Ok(session)
        });
        admitted.await.unwrap_or(Err(Denied::Timeout))
    }
}

/// An error with all its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
