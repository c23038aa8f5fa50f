use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_proto::{DisplayName, LoginSessionId, UserId, Username};
use jiff::Timestamp;
use secrecy::SecretString;

use crate::store::StoreError;

/// What a host says of its user. Users appear in the store at first sight of such claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserClaims {
    /// Who it is.
    pub id: UserId,
    /// The unique name the user should have, if it is free; made from the id otherwise.
    pub username: Option<Username>,
    /// The name to show; the user name otherwise.
    pub display_name: Option<DisplayName>,
}

impl UserClaims {
    /// Claims that name the user by an id only.
    #[must_use]
    pub const fn of(id: UserId) -> Self {
        Self { id, username: None, display_name: None }
    }
}

/// Somebody whose credential was found to be good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub claims: UserClaims,
    /// The login behind the credential, when it is one that can be revoked.
    pub login: Option<LoginSessionId>,
    /// When the credential ends; a live connection ends with it.
    pub expires_at: Option<Timestamp>,
}

impl Identity {
    /// A user whom the caller vouches for, by id only and without an end.
    #[must_use]
    pub const fn of(id: UserId) -> Self {
        Self { claims: UserClaims::of(id), login: None, expires_at: None }
    }
}

/// Why a credential is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// It is not a credential of this authenticator, or it was tampered with, or it was revoked.
    #[error("the token is not valid")]
    Invalid,
    /// It was good once.
    #[error("the token has expired")]
    Expired,
    /// It cannot be checked now.
    #[error("tokens cannot be checked at the moment")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

impl AuthError {
    /// When to try again, where a [breaker](crate::breaker) refused to ask the store. It has told the
    /// operator why, so there is nothing to log.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let Self::Unavailable(cause) = self else { return None };
        match cause.downcast_ref() {
            Some(StoreError::CircuitOpen { retry_after }) => Some(*retry_after),
            _ => None,
        }
    }
}

/// Checks bearer tokens, from wherever a transport took them.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait Authenticator: Debug + Send + Sync + 'static {
    /// Finds out whose token this is.
    ///
    /// # Errors
    ///
    /// [`AuthError`]. Neither the error nor its source may contain the token.
    async fn authenticate(&self, token: &SecretString) -> Result<Identity, AuthError>;
}

/// Asks several authenticators in turn, until one knows the token.
#[derive(Debug, Clone)]
pub struct AnyOf(Vec<Arc<dyn Authenticator>>);

impl AnyOf {
    /// Asks these, in this order.
    #[must_use]
    pub fn new(authenticators: Vec<Arc<dyn Authenticator>>) -> Self {
        Self(authenticators)
    }
}

#[async_trait]
impl Authenticator for AnyOf {
    async fn authenticate(&self, token: &SecretString) -> Result<Identity, AuthError> {
        for authenticator in &self.0 {
            match authenticator.authenticate(token).await {
                Err(AuthError::Invalid) => {}
                known => return known,
            }
        }
        Err(AuthError::Invalid)
    }
}
