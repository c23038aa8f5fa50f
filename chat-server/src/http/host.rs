use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;

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
