use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Version};

/// Whether a request says to which host it goes as RFC 9112 §3.2 demands: with one `Host`, which
/// only HTTP/1.0 may leave out. It may be empty, which is how a client says that it knows no name.
pub(super) fn is_told(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => request.version() < Version::HTTP_11,
        (Some(host), None) => host.is_empty() || is_authority(host),
        (Some(_), Some(_)) => false,
    }
}

/// Whether a value is a host, with a port or without.
fn is_authority(value: &HeaderValue) -> bool {
    let parsed: Option<Authority> = value.to_str().ok().and_then(|host| host.parse().ok());
    parsed.is_some_and(|authority| !authority.as_str().contains('@'))
}

/// Whether a request was addressed to this machine by name: to `localhost` or a loopback address,
/// with any port. A page of another name cannot make a browser say so.
pub(super) fn is_this_machine(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    // An absolute target overrides `Host` (RFC 9112 §3.2.2).
    request.uri().authority().is_none_or(is_loopback)
        && host.to_str().is_ok_and(|host| host.parse().is_ok_and(|host| is_loopback(&host)))
}

fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    !authority.as_str().contains('@')
        && (host.eq_ignore_ascii_case("localhost")
            || address.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback()))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn addressed(target: &str, hosts: &[&str]) -> bool {
        let mut request = Request::post(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        is_this_machine(&request.body(Body::empty()).unwrap())
    }

    fn told(version: Version, hosts: &[&str]) -> bool {
        let mut request = Request::get("/").version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        is_told(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn a_request_has_one_host() {
        for host in ["chat.test", "chat.test:8080", "[::1]:80", "127.0.0.1", ""] {
            assert!(told(Version::HTTP_11, &[host]), "{host}");
        }
        for host in ["a b", "a/b", "ada@chat.test", "chat.test:80:80", "http://chat.test"] {
            assert!(!told(Version::HTTP_11, &[host]), "{host}");
        }
        assert!(!told(Version::HTTP_11, &[]));
        assert!(told(Version::HTTP_10, &[]));
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert!(!told(version, &["chat.test", "chat.test"]));
        }
    }

    #[test]
    fn only_names_of_this_machine_count() {
        for host in ["localhost", "LocalHost:8080", "127.0.0.1:1", "127.9.9.9", "[::1]:8080"] {
            assert!(addressed("/", &[host]), "{host}");
        }
        for host in [
            "",
            "evil.test",
            "localhost.evil.test:8080",
            "127.0.0.1.evil.test",
            "localhost@evil.test",
            "evil.test@localhost",
            "192.0.2.1",
            "0.0.0.0:8080",
            "[::]:8080",
            "localhost evil.test",
        ] {
            assert!(!addressed("/", &[host]), "{host}");
        }
        assert!(!addressed("/", &[]));
        assert!(!addressed("/", &["localhost", "localhost"]));
        assert!(!addressed("http://evil.test/", &["localhost"]));
    }
}
