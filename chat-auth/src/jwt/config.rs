use std::time::Duration;

/// What tokens must say beside who they are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtConfig {
    /// The `iss` that tokens must have; not looked at when absent.
    pub issuer: Option<String>,
    /// The `aud` that tokens must have among theirs; not looked at when absent.
    pub audience: Option<String>,
    /// How far the clocks of the host and of this server may be apart. Default and most: 5 s,
    /// since an expired token is accepted for this long.
    pub leeway: Duration,
}

/// Why a [`JwtConfig`] is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidJwtConfig {
    /// Expired tokens would be accepted for too long.
    #[error("the leeway is at most {} s, not {} s", JwtConfig::MAX_LEEWAY.as_secs(), .0.as_secs_f64())]
    Leeway(Duration),
}

impl JwtConfig {
    /// The most that clocks may be apart.
    pub const MAX_LEEWAY: Duration = Duration::from_secs(5);

    pub(super) fn validate(&self) -> Result<(), InvalidJwtConfig> {
        if self.leeway > Self::MAX_LEEWAY {
            return Err(InvalidJwtConfig::Leeway(self.leeway));
        }
        Ok(())
    }
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self { issuer: None, audience: None, leeway: Self::MAX_LEEWAY }
    }
}
