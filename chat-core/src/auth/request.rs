//! What transports read from a request's headers, as pure functions of text, so that REST and
//! WebSocket decide alike.

use std::net::{IpAddr, Ipv6Addr};

/// The address that a request came from. Transports pass it along with the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerAddress(pub IpAddr);

/// The name of the session cookie where it is sent over TLS only: the prefix makes browsers insist
/// on `Secure`, on `Path=/` and on no `Domain` (RFC 6265bis §4.1.3).
pub const SECURE_SESSION_COOKIE: &str = "__Host-sid";

/// The name of the session cookie in development, over plain HTTP.
pub const PLAIN_SESSION_COOKIE: &str = "sid";

/// The name of the cookie with the [device token](super::DeviceToken) where it is sent over TLS only.
pub const SECURE_DEVICE_COOKIE: &str = "__Host-device";

/// The name of the cookie with the device token in development, over plain HTTP.
pub const PLAIN_DEVICE_COOKIE: &str = "device";

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

/// The value of a header that may come only once, from the values of all its lines. None when it
/// is missing, comes more than once or is not ASCII: whoever is in front may have read the other.
pub fn single_value<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Option<&'a str> {
    let mut lines = lines.into_iter();
    match (lines.next(), lines.next()) {
        (Some(value), None) if value.is_ascii() => str::from_utf8(value).ok().map(str::trim),
        _ => None,
    }
}

/// The host that a client wants to reach: that of a request target in absolute form, which
/// overrides the `Host` header (RFC 9112 §3.2.2), or else the one `Host` that came.
pub fn requested_host<'a>(
    target: Option<&'a str>,
    hosts: impl IntoIterator<Item = &'a [u8]>,
) -> Option<&'a str> {
    target.or_else(|| single_value(hosts))
}

/// Which web pages may act with a user's cookie: those of the server's own origin, and those of
/// origins named by the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OriginPolicy {
    allowed: Vec<String>,
    https_only: bool,
}

impl OriginPolicy {
    /// Allows the server's own origin and these, each written as browsers send them, such as
    /// `https://example.org` or `http://localhost:3000`.
    #[must_use]
    pub fn new(allowed: impl IntoIterator<Item = String>) -> Self {
        let allowed = allowed.into_iter();
        Self {
            allowed: allowed.map(|o| o.trim_end_matches('/').to_ascii_lowercase()).collect(),
            https_only: false,
        }
    }

    /// Whether the server is reached over TLS only, so that its own origin begins with `https`:
    /// what a page of `http://` with the same name says may come from anybody on the network.
    /// Default no.
    ///
    /// A server on `localhost` or a loopback address is its own origin over plain HTTP as well,
    /// since nobody is in between. Origins that are named are taken as they are written.
    #[must_use]
    pub fn https_only(mut self, https_only: bool) -> Self {
        self.https_only = https_only;
        self
    }

    /// Whether a page of this `Origin` (RFC 6454 §7) may act on the server reached as `host`, the
    /// [`requested_host`]. Ports count: another port is another origin.
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
        let is_safe = !self.https_only || scheme == "https" || is_loopback(authority);
        is_safe && host.is_some_and(|host| bare(host) == bare(authority))
    }
}

/// Whether an authority, in lower case, is this very machine for whoever asks. Browsers resolve
/// `localhost` and names below it to nothing else.
fn is_loopback(authority: &str) -> bool {
    if let Some((address, _)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback());
    }
    let host = authority.split_once(':').map_or(authority, |(host, _)| host);
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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

    #[test]
    fn over_tls_the_own_origin_is_https_unless_nobody_is_in_between() {
        let named = OriginPolicy::new(["http://app.example.org".into()]);
        let (any, https) = (named.clone().https_only(false), named.https_only(true));
        for (origin, host, with_any, with_https) in [
            ("https://chat.example.org", "chat.example.org", true, true),
            ("http://chat.example.org", "chat.example.org", true, false),
            ("http://chat.example.org:8080", "chat.example.org:8080", true, false),
            ("http://192.168.1.2:8080", "192.168.1.2:8080", true, false),
            ("http://[2001:db8::1]", "[2001:db8::1]", true, false),
            ("http://localhost", "localhost", true, true),
            ("http://LOCALHOST:8080", "localhost:8080", true, true),
            ("http://chat.localhost:8080", "chat.localhost:8080", true, true),
            ("http://127.0.0.1:8080", "127.0.0.1:8080", true, true),
            ("http://127.8.9.1", "127.8.9.1", true, true),
            ("http://[::1]:8080", "[::1]:8080", true, true),
            ("http://localhost:3000", "localhost:8080", false, false),
            ("http://localhost.example.org", "localhost.example.org", true, false),
            ("http://notlocalhost", "notlocalhost", true, false),
            ("http://127.0.0.1.example.org", "127.0.0.1.example.org", true, false),
            ("http://app.example.org", "chat.example.org", true, true),
        ] {
            assert_eq!(any.allows(origin, Some(host)), with_any, "{origin} on {host}");
            assert_eq!(https.allows(origin, Some(host)), with_https, "{origin} on {host} over TLS");
        }
    }

    #[test]
    fn a_host_is_that_of_an_absolute_target_or_of_the_one_header() {
        for (target, hosts, expected) in [
            (None, &[][..], None),
            (None, &[&b"a.test"[..]][..], Some("a.test")),
            (None, &[b" a.test "], Some("a.test")),
            (None, &[b"a.test", b"a.test"], None),
            (None, &[b"a.test", b"b.test"], None),
            (None, &[b"\xff.test"], None),
            (Some("b.test"), &[b"a.test"], Some("b.test")),
            (Some("b.test"), &[], Some("b.test")),
        ] {
            let host = requested_host(target, hosts.iter().copied());
            assert_eq!(host, expected, "{target:?} {hosts:?}");
        }
    }
}
