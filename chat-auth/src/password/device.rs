use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_core::auth::DeviceToken;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::HmacKey;

/// How long after its last login a device is known. 365 days, which is less
/// than the 400 days for which browsers keep a cookie.
const LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);

/// What every device token begins with, so that it is told from other tokens at a glance.
const PREFIX: &str = "chd_";

/// The most accounts of which a device says that it has logged in to them.
const MAX_ACCOUNTS: usize = 4;

const ID_BYTES: usize = 16;
const EXPIRY_BYTES: usize = 8;
const MAC_BYTES: usize = 32;
const BYTES: usize = ID_BYTES + EXPIRY_BYTES + MAC_BYTES;

/// The characters of one token.
const CHARS: usize = PREFIX.len() + (BYTES * 4).div_ceil(3);

/// A device that has logged in before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct DeviceId([u8; ID_BYTES]);

/// Signs and recognises device tokens.
///
/// A token says: the device with this id has logged in to this account, and is known until then. It
/// is no credential, and opens nothing; it only gives whoever holds it an allowance of wrong passwords
/// that others cannot use up. Since it is signed, nothing has to be kept of it, and every server with
/// the same key knows it.
///
/// A device where several people log in holds a token for each, joined by full stops.
#[derive(Debug, Clone)]
pub(super) struct DeviceKey(HmacKey);

impl DeviceKey {
    /// Signs with a key that follows from this one.
    pub(super) fn new(key: &HmacKey) -> Self {
        Self(key.derived("devices that have logged in"))
    }

    /// Signs with a key that nobody else has, for as long as this process runs.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(HmacKey::of_random(&bytes)))
    }

    /// The device that sent this text, if it has logged in to the account before.
    pub(super) fn recognise(
        &self,
        sent: Option<&SecretString>,
        account: &str,
        now: Timestamp,
    ) -> Option<DeviceId> {
        tokens(sent).find_map(|token| self.check(token, account, now))
    }

    /// What a device is to send from now on, which has just logged in to the account. It stays the
    /// device that it was, and keeps what it has for other accounts.
    pub(super) fn issue(
        &self,
        sent: Option<&SecretString>,
        account: &str,
        now: Timestamp,
    ) -> Result<DeviceToken, getrandom::Error> {
        let id = match self.recognise(sent, account, now) {
            Some(id) => id,
            None => DeviceId::generate()?,
        };
        let expires_at = now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX);
        let mut text = self.sign(id, account, expires_at);
        let others = tokens(sent).filter(|token| self.check(token, account, now).is_none());
        for token in others.take(MAX_ACCOUNTS - 1) {
            text.push('.');
            text.push_str(token);
        }
        Ok(DeviceToken { token: text.into(), expires_at })
    }

    fn sign(&self, DeviceId(id): DeviceId, account: &str, expires_at: Timestamp) -> String {
        let expiry = expires_at.as_second().to_be_bytes();
        let mac = self.0.mac(&[&id, &expiry, account.as_bytes()]);
        let token = [&id[..], &expiry, &mac].concat();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(token))
    }

    fn check(&self, token: &str, account: &str, now: Timestamp) -> Option<DeviceId> {
        let bytes = decode(token)?;
        let (id, rest) = bytes.split_first_chunk::<ID_BYTES>()?;
        let (expiry, mac) = rest.split_first_chunk::<EXPIRY_BYTES>()?;
        let is_ours = self.0.has_mac(&[id, expiry, account.as_bytes()], mac);
        let is_known = is_ours && i64::from_be_bytes(*expiry) > now.as_second();
        is_known.then_some(DeviceId(*id))
    }
}

/// The tokens in what a device sent: at most four, each well-formed.
fn tokens(sent: Option<&SecretString>) -> impl Iterator<Item = &str> {
    let sent = sent.map_or("", |sent| sent.expose_secret());
    let is_short = sent.len() <= (CHARS + 1) * MAX_ACCOUNTS;
    let sent = if is_short { sent } else { "" };
    sent.split('.').filter(|token| decode(token).is_some()).take(MAX_ACCOUNTS)
}

fn decode(token: &str) -> Option<[u8; BYTES]> {
    let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
    bytes.try_into().ok()
}

impl DeviceId {
    fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; ID_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    #[cfg(test)]
    pub(super) const fn from_bytes(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> DeviceKey {
        DeviceKey::new(&HmacKey::new(&[7; 32]).unwrap())
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn issue(sent: Option<&SecretString>, account: &str) -> SecretString {
        key().issue(sent, account, now()).unwrap().token
    }

    #[test]
    fn a_device_is_known_for_its_account_only_and_not_for_ever() {
        let ada = issue(None, "ada");
        assert!(key().recognise(Some(&ada), "ada", now()).is_some());
        assert_eq!(key().recognise(Some(&ada), "ben", now()), None);
        assert_eq!(key().recognise(None, "ada", now()), None);
        assert_eq!(DeviceKey::random().unwrap().recognise(Some(&ada), "ada", now()), None);
        assert_eq!(key().recognise(Some(&ada), "ada", now() + LIFETIME), None);
        let issued = key().issue(None, "ada", now()).unwrap();
        assert_eq!(issued.expires_at, now() + LIFETIME);
    }

    #[test]
    fn whatever_was_tampered_with_is_nobody() {
        let token = issue(None, "ada");
        let token = token.expose_secret();
        for index in 0..token.len() {
            let mut bytes = token.as_bytes().to_vec();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let tampered = String::from_utf8(bytes).unwrap().into();
            assert_eq!(key().recognise(Some(&tampered), "ada", now()), None, "{index}");
        }
    }

    #[test]
    fn a_device_stays_the_same_and_knows_four_accounts() {
        let mut sent = None;
        for account in ["ada", "ben", "cy", "dee", "eve", "eve"] {
            sent = Some(issue(sent.as_ref(), account));
        }
        let known = |account| key().recognise(sent.as_ref(), account, now());
        let ids = ["ada", "ben", "cy", "dee", "eve"].map(|account| known(account).is_some());
        assert_eq!(ids, [false, true, true, true, true]);
        let again = issue(sent.as_ref(), "ben");
        assert_eq!(key().recognise(Some(&again), "ben", now()), known("ben"));
        assert_eq!(again.expose_secret().split('.').count(), MAX_ACCOUNTS);
    }

    #[test]
    fn what_is_no_token_is_not_sent_back() {
        let hostile = format!("x; Domain=evil.test\r\n.{}..chd_.chd_AAAA", "y".repeat(100));
        for sent in [hostile, ".".repeat(100_000), "chd_".repeat(1_000)] {
            let issued = issue(Some(&sent.into()), "ada");
            assert_eq!(issued.expose_secret().len(), CHARS);
        }
    }
}
