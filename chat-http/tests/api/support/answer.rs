use axum::http::{HeaderMap, StatusCode};
use chat_http::CallerId;
use serde_json::Value;

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
    /// Whom the host is told.
    pub(crate) caller: Option<CallerId>,
}

impl Answer {
    /// The body, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of a success with this status.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        if self.bytes.is_empty() { Value::Null } else { self.json() }
    }

    /// Checks that this is a problem with this status and code, well-formed in every way that all
    /// problems share, and returns it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(
            (self.status.as_u16(), problem["code"].as_str()),
            (status, Some(code)),
            "{problem}"
        );
        assert_eq!(problem["status"], status);
        assert_eq!(problem["requestId"].as_str(), self.header("x-request-id"));
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(self.header("www-authenticate"), (status == 401).then_some("Bearer"));
        let must_wait = matches!(status, 429 | 503);
        assert_eq!(problem["retryAfterMs"].is_u64(), must_wait, "{problem}");
        assert_eq!(self.header("retry-after").is_some(), must_wait);
        problem
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The items of a list.
    #[track_caller]
    pub(crate) fn list(&self) -> Vec<Value> {
        self.ok(200)["data"].as_array().unwrap().clone()
    }
}
