use chat_core::auth::{AuthError, Identity, UserClaims};
use chat_core::proto::{DisplayName, Username};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::JwtConfig;

/// The claims that are read of a token (RFC 7519 §4.1, OpenID Connect Core §5.1).
///
/// Times are whole or broken seconds since 1970. They are read as they are written, since a JSON
/// number has no bounds. A time of another type makes the token invalid; a name that cannot be used is
/// left out, since a host may have other rules for names.
#[derive(Deserialize)]
pub(super) struct Claims {
    sub: String,
    exp: Box<RawValue>,
    nbf: Option<Box<RawValue>>,
    iss: Option<Value>,
    aud: Option<Value>,
    preferred_username: Option<Value>,
    name: Option<Value>,
}

impl Claims {
    /// Whose token this is, if it is in force at `now`.
    pub(super) fn identity(
        self,
        config: &JwtConfig,
        now: Timestamp,
    ) -> Result<Identity, AuthError> {
        if !self.is_for(config) {
            return Err(AuthError::Invalid);
        }
        let leeway = SignedDuration::try_from(config.leeway).map_err(|_| AuthError::Invalid)?;
        let mut expires_at = timestamp(&self.exp)?;
        let nbf = self.nbf.as_deref().map(timestamp).transpose()?;
        if nbf.is_some_and(|nbf| nbf.duration_since(now) > leeway) {
            return Err(AuthError::Invalid);
        }
        if now >= expires_at {
            // By a clock that is behind it is in force, and so it is here for as long as that may be:
            // a connection that is let in is not to be ended at once.
            expires_at = expires_at.checked_add(leeway).unwrap_or(Timestamp::MAX);
        }
        if now >= expires_at {
            return Err(AuthError::Expired);
        }
        let text =
            |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
        Ok(Identity {
            claims: UserClaims {
                id: self.sub.parse().map_err(|_| AuthError::Invalid)?,
                username: text(&self.preferred_username)
                    .and_then(|name| Username::parse(&name).ok()),
                display_name: text(&self.name).and_then(|name| DisplayName::parse(&name).ok()),
            },
            login: None,
            expires_at: Some(expires_at),
        })
    }

    /// Whether the issuer and the audience are those that are configured.
    fn is_for(&self, config: &JwtConfig) -> bool {
        let is_issuer = config
            .issuer
            .as_ref()
            .is_none_or(|issuer| self.iss.as_ref().is_some_and(|iss| iss == issuer));
        let is_audience = config.audience.as_ref().is_none_or(|audience| match &self.aud {
            Some(Value::Array(several)) => several.iter().any(|aud| aud == audience),
            aud => aud.as_ref().is_some_and(|aud| aud == audience),
        });
        is_issuer && is_audience
    }
}

/// A `NumericDate` (RFC 7519 §2). Times beyond the calendar are its last moment, however large the
/// number is; those before 1970 are no times of a token.
fn timestamp(claim: &RawValue) -> Result<Timestamp, AuthError> {
    let text = claim.get();
    let is_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    // A number that is too large for this type is infinite in it.
    let seconds: f64 = text.parse().ok().filter(|_| is_number).ok_or(AuthError::Invalid)?;
    if seconds < 0.0 {
        return Err(AuthError::Invalid);
    }
    let latest = Timestamp::MAX.as_second();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and is compared with the latest time at once"
    )]
    let second = (seconds as i64).min(latest);
    Timestamp::from_second(second).map_err(|_| AuthError::Invalid)
}
