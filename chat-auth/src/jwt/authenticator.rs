use std::fmt;

use async_trait::async_trait;
use chat_core::auth::{AuthError, Authenticator, Identity};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use secrecy::{ExposeSecret, SecretString};

use super::claims::Claims;
use super::{HmacKey, InvalidJwtConfig, JwtConfig};

/// Accepts tokens that the host has signed.
///
/// Whatever a token's header says, it is checked with the one algorithm and the one key given here:
/// `alg` can only agree, and `jku`, `jwk`, `x5u` and `kid` are not looked at (RFC 8725 §3.1). A
/// token needs `sub`, a user id, and `exp`; `nbf` is honoured. `preferred_username` and `name`, when
/// they can be used, name a user who is seen for the first time.
#[derive(Clone)]
pub struct JwtAuthenticator {
    key: DecodingKey,
    /// The signature's algorithm, the issuer and the audience. Times are checked apart, so that
    /// the clock is an argument.
    validation: Validation,
    config: JwtConfig,
}

/// The most bytes of a token that are looked at: more than fits in a header of most servers.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

impl JwtAuthenticator {
    /// Accepts tokens signed with HMAC and SHA-256 (`HS256`).
    ///
    /// # Errors
    ///
    /// [`InvalidJwtConfig`].
    pub fn hs256(key: &HmacKey, config: JwtConfig) -> Result<Self, InvalidJwtConfig> {
        Self::with_key(Algorithm::HS256, key.decoding_key(), config)
    }

    fn with_key(
        algorithm: Algorithm,
        key: DecodingKey,
        config: JwtConfig,
    ) -> Result<Self, InvalidJwtConfig> {
        config.validate()?;
        let mut validation = Validation::new(algorithm);
        let mut required = vec!["exp", "sub"];
        validation.validate_exp = false;
        validation.validate_aud = config.audience.is_some();
        if let Some(issuer) = &config.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &config.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        Ok(Self { key, validation, config })
    }

    fn identify(&self, token: &str, now: Timestamp) -> Result<Identity, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::Invalid);
        }
        let token =
            decode::<Claims>(token, &self.key, &self.validation).map_err(|_| AuthError::Invalid)?;
        // RFC 7515 §4.1.11: extensions marked critical must be understood, and none is.
        if token.header.crit.is_some() {
            return Err(AuthError::Invalid);
        }
        token.claims.identity(&self.config, now)
    }
}

#[async_trait]
impl Authenticator for JwtAuthenticator {
    async fn authenticate(&self, token: &SecretString) -> Result<Identity, AuthError> {
        self.identify(token.expose_secret(), Timestamp::now())
    }
}

impl fmt::Debug for JwtAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthenticator")
            .field("algorithms", &self.validation.algorithms)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "authenticator_tests.rs"]
mod tests;
