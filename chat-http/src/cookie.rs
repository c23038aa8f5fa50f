use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use chat_core::auth::{PLAIN_SESSION_COOKIE, SECURE_SESSION_COOKIE, cookie_value};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

/// How a browser keeps the token of its login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SessionCookie {
    /// `__Host-sid`, sent over TLS only (and to `localhost`, which browsers trust alike).
    #[default]
    Secure,
    /// `sid`, sent over plain HTTP as well: for development.
    Plain,
}

impl SessionCookie {
    /// The cookie's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Secure => SECURE_SESSION_COOKIE,
            Self::Plain => PLAIN_SESSION_COOKIE,
        }
    }

    /// The token in a request's cookies. Only this kind's own name counts: a plain cookie, which
    /// a neighbour on the network can plant, is nothing to a server that sends secure ones.
    pub(crate) fn token(self, headers: &HeaderMap) -> Option<SecretString> {
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .find_map(|header| cookie_value(header, self.name()))
            .map(SecretString::from)
    }

    /// The `Set-Cookie` that hands a token to the browser until its session ends.
    pub(crate) fn issue(
        self,
        token: &SecretString,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> HeaderValue {
        let seconds = expires_at.duration_since(now).as_secs().max(0);
        self.write(token.expose_secret(), seconds)
    }

    /// The `Set-Cookie` that takes the token away again.
    pub(crate) fn clear(self) -> HeaderValue {
        self.write("", 0)
    }

    fn write(self, token: &str, max_age: i64) -> HeaderValue {
        let secure = match self {
            Self::Secure => "; Secure",
            Self::Plain => "",
        };
        let name = self.name();
        let text =
            format!("{name}={token}; HttpOnly; SameSite=Lax; Path=/; Max-Age={max_age}{secure}");
        let mut value =
            HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;

    use super::*;

    fn issued(cookie: SessionCookie) -> HeaderValue {
        let now = Timestamp::UNIX_EPOCH;
        cookie.issue(&"t0ken".into(), now + 48.hours(), now)
    }

    #[test]
    fn a_secure_cookie_has_every_attribute_its_prefix_demands() {
        let cookie = issued(SessionCookie::Secure);
        assert_eq!(
            cookie,
            "__Host-sid=t0ken; HttpOnly; SameSite=Lax; Path=/; Max-Age=172800; Secure"
        );
        assert!(!format!("{cookie:?}").contains("t0ken"), "never shown in logs");
    }

    #[test]
    fn a_plain_cookie_travels_without_tls() {
        assert_eq!(
            issued(SessionCookie::Plain),
            "sid=t0ken; HttpOnly; SameSite=Lax; Path=/; Max-Age=172800"
        );
    }

    #[test]
    fn a_cleared_cookie_is_gone_at_once() {
        assert_eq!(
            SessionCookie::Secure.clear(),
            "__Host-sid=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0; Secure"
        );
    }

    #[test]
    fn a_session_that_has_ended_is_not_kept() {
        let now = Timestamp::UNIX_EPOCH;
        let cookie = SessionCookie::Plain.issue(&"t".into(), now - 1.hour(), now);
        assert!(cookie.to_str().unwrap().contains("Max-Age=0"));
    }

    #[test]
    fn only_the_cookie_of_the_same_kind_is_read() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("theme=dark; sid=plain"));
        headers.append(COOKIE, HeaderValue::from_static("__Host-sid=secure"));
        let token = |cookie: SessionCookie| {
            cookie.token(&headers).map(|token| token.expose_secret().to_owned())
        };
        assert_eq!(token(SessionCookie::Secure).as_deref(), Some("secure"));
        assert_eq!(token(SessionCookie::Plain).as_deref(), Some("plain"));
        assert!(SessionCookie::Plain.token(&HeaderMap::new()).is_none());
    }
}
