//! What transports read from a request's headers, as pure functions of text, so that REST and
//! WebSocket decide alike.

use std::net::IpAddr;

/// The address that a request came from. Transports pass it along with the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerAddress(pub IpAddr);

/// The name of the session cookie where it is sent over TLS only: the prefix makes browsers insist
/// on `Secure`, on `Path=/` and on no `Domain` (RFC 6265bis §4.1.3).
pub const SECURE_SESSION_COOKIE: &str = "__Host-sid";

/// The name of the session cookie in development, over plain HTTP.
pub const PLAIN_SESSION_COOKIE: &str = "sid";

/// The token of an `Authorization` header with the `Bearer` scheme (RFC 6750 §2.1).
#[must_use]
pub fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The value of the cookie with this name in a `Cookie` header (RFC 6265 §5.4).
#[must_use]
pub fn cookie_value<'a>(cookie_header: &'a str, name: &str) -> Option<&'a str> {
    cookie_header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| value)
}

/// Which web pages may act with a user's cookie: those of the server's own origin, and those of
/// origins named by the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OriginPolicy {
    allowed: Vec<String>,
}

impl OriginPolicy {
    /// Allows the server's own origin and these, each written as browsers send them, such as
    /// `https://example.org` or `http://localhost:3000`.
    #[must_use]
    pub fn new(allowed: impl IntoIterator<Item = String>) -> Self {
        let allowed = allowed.into_iter();
        Self { allowed: allowed.map(|o| o.trim_end_matches('/').to_ascii_lowercase()).collect() }
    }

    /// Whether a page of this `Origin` (RFC 6454 §7) may act on the server reached as `host`, the
    /// request's `Host`. Ports count: another port is another origin.
    #[must_use]
    pub fn allows(&self, origin: &str, host: Option<&str>) -> bool {
        let origin = origin.to_ascii_lowercase();
        if self.allowed.contains(&origin) {
            return true;
        }
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        let default_port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return false,
        };
        let bare = |authority: &str| {
            authority.strip_suffix(default_port).unwrap_or(authority).to_ascii_lowercase()
        };
        host.is_some_and(|host| bare(host) == bare(authority))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_where_they_may_be() {
        assert_eq!(bearer_token("Bearer abc"), Some("abc"));
        assert_eq!(bearer_token("bearer  abc "), Some("abc"));
        assert_eq!(bearer_token("Basic abc"), None);
        assert_eq!(bearer_token("Bearer "), None);
        assert_eq!(cookie_value("a=1; sid=xyz; b=2", "sid"), Some("xyz"));
        assert_eq!(cookie_value("asid=1; sid=", "sid"), None);
    }

    #[test]
    fn only_the_own_and_the_named_origins_pass() {
        let policy = OriginPolicy::new(["https://app.example.org/".into()]);
        for (origin, host, allowed) in [
            ("http://localhost:8080", Some("localhost:8080"), true),
            ("http://LOCALHOST:8080", Some("localhost:8080"), true),
            ("http://localhost:3000", Some("localhost:8080"), false),
            ("https://chat.example.org", Some("chat.example.org"), true),
            ("https://chat.example.org:443", Some("chat.example.org"), true),
            ("https://chat.example.org", Some("chat.example.org:443"), true),
            ("https://app.example.org", Some("chat.example.org"), true),
            ("https://app.example.org.evil.test", Some("chat.example.org"), false),
            ("http://app.example.org", Some("chat.example.org"), false),
            ("null", Some("null"), false),
            ("file://", Some(""), false),
            ("https://chat.example.org", None, false),
        ] {
            assert_eq!(policy.allows(origin, host), allowed, "{origin} on {host:?}");
        }
    }
}
