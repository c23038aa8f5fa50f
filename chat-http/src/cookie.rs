use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use chat_core::auth::{
    DeviceToken, PLAIN_DEVICE_COOKIE, PLAIN_SESSION_COOKIE, SECURE_DEVICE_COOKIE,
    SECURE_SESSION_COOKIE, cookie_value,
};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

/// How a browser keeps the token of its login, and the one by which its device is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SessionCookie {
    /// `__Host-sid` and `__Host-device`, sent over TLS only (and to `localhost`, which browsers trust
    /// alike).
    #[default]
    Secure,
    /// `sid` and `device`, sent over plain HTTP as well: for development.
    Plain,
}

impl SessionCookie {
    /// The name of the cookie with the device token.
    #[must_use]
    pub const fn device_name(self) -> &'static str {
        match self {
            Self::Secure => SECURE_DEVICE_COOKIE,
            Self::Plain => PLAIN_DEVICE_COOKIE,
        }
    }

    /// The name of the session cookie.
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
        find(headers, self.name())
    }

    /// The device token in a request's cookies.
    pub(crate) fn device_token(self, headers: &HeaderMap) -> Option<SecretString> {
        find(headers, self.device_name())
    }

    /// The `Set-Cookie` that hands a token to the browser until its session ends.
    pub(crate) fn issue(
        self,
        token: &SecretString,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> HeaderValue {
        self.write(self.name(), token, seconds_until(expires_at, now))
    }

    /// The `Set-Cookie` by which the browser keeps its device token, also when its user logs out.
    pub(crate) fn issue_device(self, device: &DeviceToken, now: Timestamp) -> HeaderValue {
        self.write(self.device_name(), &device.token, seconds_until(device.expires_at, now))
    }

    /// The `Set-Cookie` that takes the token away again.
    pub(crate) fn clear(self) -> HeaderValue {
        self.write(self.name(), &SecretString::from(""), 0)
    }

    fn write(self, name: &str, token: &SecretString, max_age: i64) -> HeaderValue {
        let secure = match self {
            Self::Secure => "; Secure",
            Self::Plain => "",
        };
        let token = token.expose_secret();
        let text =
            format!("{name}={token}; HttpOnly; SameSite=Lax; Path=/; Max-Age={max_age}{secure}");
        let mut value =
            HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

fn seconds_until(end: Timestamp, now: Timestamp) -> i64 {
    end.duration_since(now).as_secs().max(0)
}

fn find(headers: &HeaderMap, name: &str) -> Option<SecretString> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .find_map(|header| cookie_value(header, name))
        .map(SecretString::from)
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
    fn a_device_token_has_a_cookie_of_its_own() {
        let now = Timestamp::UNIX_EPOCH;
        let device = DeviceToken { token: "chd_x.chd_y".into(), expires_at: now + 48.hours() };
        assert_eq!(
            SessionCookie::Secure.issue_device(&device, now),
            "__Host-device=chd_x.chd_y; HttpOnly; SameSite=Lax; Path=/; Max-Age=172800; Secure"
        );
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("sid=s; device=d"));
        let found = SessionCookie::Plain.device_token(&headers).unwrap();
        assert_eq!(found.expose_secret(), "d");
        assert!(SessionCookie::Secure.device_token(&headers).is_none());
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
