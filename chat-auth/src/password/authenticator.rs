use async_trait::async_trait;
use chat_core::auth::{AuthError, Authenticator, Identity, UserClaims};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};

use super::PasswordAccounts;
use super::accounts::now;
use super::token::SessionToken;

/// How old the recorded last use may get: so much precision is given up for fewer writes.
const TOUCH_INTERVAL: SignedDuration = SignedDuration::from_secs(60);

/// Recognises the tokens of login sessions. Tokens of another form are refused without a look into
/// the store.
#[async_trait]
impl Authenticator for PasswordAccounts {
    async fn authenticate(&self, token: &SecretString) -> Result<Identity, AuthError> {
        let hash = SessionToken::hash_of(token.expose_secret()).ok_or(AuthError::Invalid)?;
        let session = self.sessions.login_session(&hash).await;
        let session = session.map_err(|error| AuthError::Unavailable(error.into()))?;
        let mut session = session.ok_or(AuthError::Invalid)?;
        let now = now();
        if session.expires_at <= now {
            return Err(AuthError::Expired);
        }
        if now.duration_since(session.last_used_at) >= TOUCH_INTERVAL {
            let expires_at = self.session_end(now);
            match self.sessions.touch_login_session(session.id, now, expires_at).await {
                Ok(()) => session.expires_at = expires_at,
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, session = %session.id, "a use was not recorded");
                }
            }
        }
        Ok(Identity {
            claims: UserClaims::of(session.user_id),
            login: Some(session.id),
            expires_at: Some(session.expires_at),
        })
    }
}
