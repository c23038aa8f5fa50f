use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header by which a request is followed through logs, here and in front of the server.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The most characters of an id that is taken from outside.
const MAX_CHARS: usize = 128;

/// What a request is called in logs and in its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The id that a layer or proxy in front gave the request, or a new UUIDv7 if there is none
    /// that is safe to repeat: at most 128 visible ASCII characters.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get(X_REQUEST_ID) {
            Some(given) if is_safe(given.as_bytes()) => Self(given.clone()),
            _ => Self::generate(),
        }
    }

    fn generate() -> Self {
        let text = Uuid::now_v7().to_string();
        Self(HeaderValue::try_from(text).expect("a UUID is hexadecimal digits and hyphens"))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().expect("a request id is visible ASCII")
    }
}

impl From<RequestId> for HeaderValue {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

fn is_safe(id: &[u8]) -> bool {
    (1..=MAX_CHARS).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(id: &[u8]) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(id).unwrap());
        RequestId::of(&headers)
    }

    #[test]
    fn an_id_given_in_front_is_kept() {
        assert_eq!(given(b"edge-42").as_str(), "edge-42");
    }

    #[test]
    fn an_id_unsafe_to_repeat_is_replaced() {
        for id in [&b""[..], b"a b", b"a\xFFb", &[b'x'; MAX_CHARS + 1]] {
            assert!(Uuid::parse_str(given(id).as_str()).is_ok(), "{id:?}");
        }
        assert!(Uuid::parse_str(RequestId::of(&HeaderMap::new()).as_str()).is_ok());
    }
}
