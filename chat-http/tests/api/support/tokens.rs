use async_trait::async_trait;
use chat_core::auth::{AuthError, Authenticator, Identity, UserClaims};
use chat_core::proto::LoginSessionId;
use secrecy::{ExposeSecret, SecretString};

/// A host's users: a token is its user's id, but for a few that show what can go wrong.
#[derive(Debug)]
pub(crate) struct Tokens;

#[async_trait]
impl Authenticator for Tokens {
    async fn authenticate(&self, token: &SecretString) -> Result<Identity, AuthError> {
        match token.expose_secret() {
            "expired" => Err(AuthError::Expired),
            "forged" => Err(AuthError::Invalid),
            "unlucky" => Err(AuthError::Unavailable("the keys cannot be fetched".into())),
            // Those of login sessions, which have ended.
            id if id.parse::<LoginSessionId>().is_ok() => Err(AuthError::Invalid),
            id => {
                let id = id.parse().map_err(|_| AuthError::Invalid)?;
                Ok(Identity { claims: UserClaims::of(id), login: None, expires_at: None })
            }
        }
    }
}
