use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_core::store::TokenHash;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// What every session token begins with, so that it is told from other tokens at a glance, and
/// found by scanners of leaked secrets.
pub const SESSION_TOKEN_PREFIX: &str = "chs_";

const RANDOM_BYTES: usize = 32;

/// The characters of 32 bytes in base64 without padding.
const ENCODED_CHARS: usize = (RANDOM_BYTES * 4).div_ceil(3);

/// The token of a login session: 256 random bits, in base64url behind the prefix.
pub(super) struct SessionToken(SecretString);

impl SessionToken {
    /// A new token.
    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(format!("{SESSION_TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)).into()))
    }

    /// The hash of a token, if it has the form of one.
    ///
    /// An unkeyed, fast hash is enough for what has 256 random bits; and since the hash is what is
    /// looked up, the time that the look-up takes tells nothing about the token.
    pub(super) fn hash_of(token: &str) -> Option<TokenHash> {
        let encoded = token.strip_prefix(SESSION_TOKEN_PREFIX)?;
        (encoded.len() == ENCODED_CHARS).then(|| Sha256::digest(token).into())
    }

    /// The token's hash.
    pub(super) fn hash(&self) -> TokenHash {
        Sha256::digest(self.0.expose_secret()).into()
    }

    /// The token, to be shown once.
    pub(super) fn into_secret(self) -> SecretString {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_again_by_its_hash() {
        let token = SessionToken::generate().unwrap();
        let (hash, text) = (token.hash(), token.into_secret());
        assert_eq!(SessionToken::hash_of(text.expose_secret()), Some(hash));
        let other = SessionToken::generate().unwrap();
        assert_ne!(other.hash(), hash);
    }

    #[test]
    fn what_has_not_the_form_of_a_token_is_none() {
        let good = SessionToken::generate().unwrap().into_secret();
        let good = good.expose_secret();
        for text in ["", "chs_", "eyJ.eyJ.sig", &good[1..], &good[..46], &format!("{good}x")] {
            assert_eq!(SessionToken::hash_of(text), None, "{text}");
        }
    }
}
