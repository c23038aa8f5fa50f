use chat_core::auth::{bearer_token, cookie_value};
use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use secrecy::SecretString;

use super::protocols::Protocols;
use super::single;

/// Where a handshake may carry a token, beside the places that are always looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialPlaces {
    /// The name of the session cookie.
    pub(crate) cookie: String,
    /// Whether `?token=` counts.
    pub(crate) query: bool,
}

/// A token, and how it came.
#[derive(Debug)]
pub(crate) enum Credential {
    /// The client chose to send it.
    Explicit(SecretString),
    /// A browser sent it by itself, whichever page asked for the connection.
    Cookie(SecretString),
}

impl Credential {
    pub(crate) const fn token(&self) -> &SecretString {
        match self {
            Self::Explicit(token) | Self::Cookie(token) => token,
        }
    }
}

/// The token of a handshake: what the client sends on purpose goes before the cookie that its
/// browser may still keep from another day.
pub(super) fn find(
    head: &Parts,
    protocols: &Protocols,
    places: &CredentialPlaces,
) -> Option<Credential> {
    let header = || single(&head.headers, AUTHORIZATION).and_then(bearer_token);
    let query = || head.uri.query().filter(|_| places.query).and_then(query_token);
    let explicit = header()
        .map(SecretString::from)
        .or_else(|| protocols.bearer.clone())
        .or_else(query)
        .map(Credential::Explicit);
    explicit.or_else(|| cookie(head, &places.cookie).map(Credential::Cookie))
}

fn cookie(head: &Parts, name: &str) -> Option<SecretString> {
    let lines = head.headers.get_all(COOKIE).iter();
    let mut lines = lines.filter_map(|line| line.to_str().ok());
    lines.find_map(|line| cookie_value(line, name)).map(SecretString::from)
}

/// The first `token` of a query string, with its percent-encoding undone.
fn query_token(query: &str) -> Option<SecretString> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("token="))?;
    let token = percent_decode(value)?;
    (!token.is_empty()).then(|| token.into())
}

/// Undoes percent-encoding (RFC 3986 §2.1); none when it is broken or not UTF-8.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| value.try_into().ok())
}
