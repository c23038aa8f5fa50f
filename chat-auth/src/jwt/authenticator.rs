use std::fmt;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_core::auth::{AuthError, Authenticator, Identity};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, crypto, decode_header};
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
    algorithm: Algorithm,
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
        Ok(Self { key, algorithm, config })
    }

    fn identify(&self, token: &str, now: Timestamp) -> Result<Identity, AuthError> {
        let claims = self.signed_claims(token).ok_or(AuthError::Invalid)?;
        claims.identity(&self.config, now)
    }

    /// The claims of a token, if its signature is good.
    fn signed_claims(&self, token: &str) -> Option<Claims> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let header = decode_header(token).ok()?;
        // RFC 7515 §4.1.11: extensions marked critical must be understood, and none is.
        if header.alg != self.algorithm || header.crit.is_some() {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let is_signed = crypto::verify(signature, message.as_bytes(), &self.key, self.algorithm);
        if !is_signed.is_ok_and(|is_signed| is_signed) {
            return None;
        }
        let (_, payload) = message.split_once('.')?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
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
            .field("algorithm", &self.algorithm)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "authenticator_tests.rs"]
mod tests;
