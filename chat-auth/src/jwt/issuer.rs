use std::time::Duration;

use chat_core::proto::{DisplayName, UserId, Username};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::SecretString;
use serde::Serialize;

use super::HmacKey;

/// Signs tokens as a host would: for development, for tests, and for an operator's command line.
pub struct JwtIssuer {
    key: EncodingKey,
    issuer: Option<String>,
    audience: Option<String>,
}

/// Whom a token is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSubject {
    /// Who (`sub`).
    pub id: UserId,
    /// The unique name the user should get at first sight (`preferred_username`).
    pub username: Option<Username>,
    /// The name to show (`name`).
    pub display_name: Option<DisplayName>,
}

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed")]
pub struct IssueError(#[source] jsonwebtoken::errors::Error);

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<&'a Username>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a DisplayName>,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

impl TokenSubject {
    /// A user known by an id only.
    #[must_use]
    pub const fn of(id: UserId) -> Self {
        Self { id, username: None, display_name: None }
    }
}

impl JwtIssuer {
    /// Signs with HMAC and SHA-256 (`HS256`); the issuer and the audience, when given, are said in
    /// every token.
    #[must_use]
    pub fn hs256(key: &HmacKey, issuer: Option<String>, audience: Option<String>) -> Self {
        Self { key: key.encoding_key(), issuer, audience }
    }

    /// A token that is good from `now` on for `lifetime`, cut to whole seconds.
    ///
    /// # Errors
    ///
    /// [`IssueError`] when the cryptography fails.
    pub fn issue(
        &self,
        subject: &TokenSubject,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<SecretString, IssueError> {
        let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            sub: &subject.id,
            preferred_username: subject.username.as_ref(),
            name: subject.display_name.as_ref(),
            iat: now.as_second(),
            exp: now.as_second().saturating_add(lifetime),
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
        };
        let token = encode(&Header::new(Algorithm::HS256), &claims, &self.key);
        token.map(SecretString::from).map_err(IssueError)
    }
}

impl std::fmt::Debug for JwtIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtIssuer")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}
