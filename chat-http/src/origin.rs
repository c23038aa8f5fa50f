//! The defence against other web pages that make a browser act with its user's cookie.

use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use chat_core::auth::{OriginPolicy, requested_host};
use chat_core::proto::ErrorCode;

use crate::problem::Problem;

/// What a browser says of where a request comes from (W3C Fetch Metadata).
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Whether a request with this method may change something (RFC 9110 §9.2.1).
pub(crate) fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// Refuses a request that a web page of another origin made a browser send.
///
/// Browsers name the page's origin with every request that may change something. Where there is no
/// `Origin`, the fetch metadata decides, and where there is neither, the client is no browser and
/// holds its cookie by its own will.
pub(crate) fn check(policy: &OriginPolicy, parts: &Parts) -> Result<(), Problem> {
    let target = parts.uri.authority().map(|authority| authority.as_str());
    let host =
        requested_host(target, parts.headers.get_all(HOST).iter().map(HeaderValue::as_bytes));
    if is_allowed(policy, host, &parts.headers) {
        Ok(())
    } else {
        Err(Problem::new(
            ErrorCode::OriginNotAllowed,
            "web pages of this origin may not act with a cookie here",
        ))
    }
}

fn is_allowed(policy: &OriginPolicy, host: Option<&str>, headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) => origin.to_str().is_ok_and(|origin| policy.allows(origin, host)),
        (Some(_), Some(_)) => false,
        (None, _) => match headers.get(SEC_FETCH_SITE) {
            Some(site) => site == "same-origin" || site == "none",
            None => true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_and_the_allowed_origins_act_with_a_cookie() {
        let policy = OriginPolicy::new(["https://app.example.org".into()]);
        const HOME: &str = "https://chat.example.org";
        for (headers, allowed) in [
            (&[][..], true),
            (&[("origin", HOME)][..], true),
            (&[("origin", "https://app.example.org")], true),
            (&[("origin", "https://chat.example.org:8443")], false),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "https://chat.example.org.evil.example")], false),
            (&[("origin", "null")], false),
            (&[("origin", "")], false),
            (&[("origin", HOME), ("origin", "https://evil.example")], false),
            (&[("origin", HOME), ("sec-fetch-site", "same-origin")], true),
            (&[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "")], false),
        ] {
            let mut request = axum::http::Request::post("/").header(HOST, "chat.example.org");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(check(&policy, &parts).is_ok(), allowed, "{headers:?}");
        }
    }

    #[test]
    fn the_host_is_that_of_the_target_or_the_only_one_named() {
        const HOME: &str = "chat.example.org";
        const OTHER: &str = "other.example.org";
        for (target, hosts, allowed) in [
            ("/x", &[HOME][..], true),
            ("/x", &[][..], false),
            ("/x", &[HOME, HOME], false),
            ("/x", &[HOME, OTHER], false),
            ("https://chat.example.org/x", &[], true),
            ("https://chat.example.org/x", &[OTHER], true),
            ("https://other.example.org/x", &[HOME], false),
        ] {
            let mut request =
                axum::http::Request::post(target).header(ORIGIN, "https://chat.example.org");
            for host in hosts {
                request = request.header(HOST, *host);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let checked = check(&OriginPolicy::default(), &parts);
            assert_eq!(checked.is_ok(), allowed, "{target} {hosts:?}");
        }
    }

    #[test]
    fn reading_is_safe() {
        assert!(!is_unsafe(&Method::GET) && !is_unsafe(&Method::HEAD));
        assert!(is_unsafe(&Method::POST) && is_unsafe(&Method::DELETE) && is_unsafe(&Method::PUT));
    }
}
