use bytes::Bytes;
use chat_core::proto::{ErrorCode, ErrorPayload};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

/// A handshake that is refused, as the client is told: problem details (RFC 9457) with the stable
/// code of the protocol.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    payload: ErrorPayload,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The body.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: ErrorCode,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl Problem {
    fn new(code: ErrorCode, detail: &str) -> Self {
        ErrorPayload::new(code, detail).into()
    }

    /// The request is not a WebSocket handshake, or a wrong one.
    pub(crate) fn bad_handshake(detail: &str) -> Self {
        Self::new(ErrorCode::BadHandshake, detail)
    }

    /// The request would be one if it asked for another protocol.
    pub(crate) fn upgrade_required(detail: &str) -> Self {
        Self::new(ErrorCode::UpgradeRequired, detail)
    }

    /// The request is not a GET.
    pub(crate) fn method_not_allowed() -> Self {
        let detail = "a WebSocket handshake is a GET";
        Self::new(ErrorCode::MethodNotAllowed, detail)
    }

    /// The request comes from a page that may not connect.
    pub(crate) fn origin_not_allowed(detail: &str) -> Self {
        Self::new(ErrorCode::OriginNotAllowed, detail)
    }

    /// The server cannot take the connection now.
    pub(crate) fn unavailable(detail: &str) -> Self {
        Self::new(ErrorCode::Unavailable, detail)
    }

    /// The same, with a header.
    pub(crate) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// What programs match on.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.payload.code
    }

    /// The response to send.
    ///
    /// # Panics
    ///
    /// Never: a problem is plain data.
    #[must_use]
    pub fn into_response(self) -> Response<Full<Bytes>> {
        let details = Details {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.payload.message,
            code: self.payload.code,
            retryable: self.payload.retryable,
            retry_after_ms: self.payload.retry_after_ms,
        };
        let body = serde_json::to_vec(&details).expect("problem details are plain data");
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = self.payload.retry_after_ms {
            headers.insert(RETRY_AFTER, after.div_ceil(1_000).into());
        }
        headers.extend(self.headers);
        response
    }
}

impl From<ErrorPayload> for Problem {
    fn from(payload: ErrorPayload) -> Self {
        let status = StatusCode::from_u16(payload.code.http_status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, payload, headers: Vec::new() }
    }
}
