use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{DecodingKey, EncodingKey};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};

/// A secret shared with the host, long enough to sign with.
///
/// A secret shorter than the hash (32 bytes) can be searched for by anyone who has seen one token,
/// away from the server and at any speed; RFC 7518 §3.2 forbids it.
#[derive(Clone)]
pub struct HmacKey(SecretSlice<u8>);

/// A secret that is too short to sign with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret needs at least {} bytes, this one has {actual}", HmacKey::MIN_BYTES)]
pub struct WeakKey {
    /// The bytes given.
    pub actual: usize,
}

impl HmacKey {
    /// The fewest bytes allowed: as many as the output of SHA-256.
    pub const MIN_BYTES: usize = 32;

    /// Accepts a secret. Every byte counts as it is: text is not decoded.
    ///
    /// # Errors
    ///
    /// [`WeakKey`] for fewer than [`HmacKey::MIN_BYTES`] bytes.
    pub fn new(secret: &[u8]) -> Result<Self, WeakKey> {
        if secret.len() < Self::MIN_BYTES {
            return Err(WeakKey { actual: secret.len() });
        }
        Ok(Self(secret.to_vec().into()))
    }

    /// Another key that whoever has this one has, too: the same for the same purpose, and of no use
    /// to find out this one or that of another purpose.
    #[must_use]
    pub fn derived(&self, purpose: &str) -> Self {
        // The length keeps two purposes apart of which one begins like the other.
        let mut hash = Sha256::new();
        hash.update(purpose.len().to_be_bytes());
        hash.update(purpose);
        hash.update(self.0.expose_secret());
        Self(hash.finalize().to_vec().into())
    }

    /// A key of bytes that are random already, and long enough by their type.
    pub(crate) fn of_random(bytes: &[u8; Self::MIN_BYTES]) -> Self {
        Self(bytes.to_vec().into())
    }

    /// The code by which whoever has this key recognises these bytes (HMAC-SHA-256, RFC 2104).
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; Self::MIN_BYTES] {
        self.hmac(parts).finalize().into_bytes().into()
    }

    /// Whether this is the [`mac`](Self::mac) of these bytes. Takes as long wherever they differ.
    pub(crate) fn has_mac(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        self.hmac(parts).verify_slice(mac).is_ok()
    }

    fn hmac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        // HMAC takes keys of every length.
        let mut hmac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret())
            .unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
        for part in parts {
            hmac.update(part);
        }
        hmac
    }

    pub(super) fn decoding_key(&self) -> DecodingKey {
        DecodingKey::from_secret(self.0.expose_secret())
    }

    pub(super) fn encoding_key(&self) -> EncodingKey {
        EncodingKey::from_secret(self.0.expose_secret())
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_secrets_are_refused_by_their_bytes() {
        assert_eq!(HmacKey::new(&[7; 31]).unwrap_err(), WeakKey { actual: 31 });
        assert!(HmacKey::new(&[7; 32]).is_ok());
        assert!(HmacKey::new("ключ-из-кириллицы-0123".as_bytes()).is_ok(), "bytes, not characters");
    }

    #[test]
    fn a_derived_key_is_the_same_for_the_same_purpose_only() {
        let secret = |secret: &[u8; 32], purpose: &str| {
            HmacKey::new(secret).unwrap().derived(purpose).0.expose_secret().to_vec()
        };
        let derived = secret(&[7; 32], "a");
        assert_eq!(derived, secret(&[7; 32], "a"));
        assert_eq!(derived.len(), HmacKey::MIN_BYTES);
        for other in [secret(&[7; 32], "b"), secret(&[8; 32], "a"), vec![7; 32]] {
            assert_ne!(derived, other);
        }
    }

    #[test]
    fn a_key_does_not_show_itself() {
        let key = HmacKey::new(b"canary-canary-canary-canary-canary").unwrap();
        assert!(!format!("{key:?}").contains("canary"));
    }
}
