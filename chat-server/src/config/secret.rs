use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

/// What is shown instead of a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// Writes that there is a secret, and nothing of it.
pub(super) fn redacted<S: Serializer>(
    secret: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let shown = secret.as_ref().filter(|secret| !secret.expose_secret().is_empty());
    shown.map(|_| REDACTED).serialize(serializer)
}
