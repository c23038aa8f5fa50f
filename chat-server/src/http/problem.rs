use axum::Json;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chat_core::proto::ErrorCode;
use serde_json::{Value, json};

use super::request_log::RequestId;

/// The type of the body of an error.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// The status that goes with a code.
pub(crate) fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.http_status()).expect("the status of every code is one of RFC 9110")
}

/// The body of an error that belongs to no request.
pub(crate) fn body(code: ErrorCode, detail: &str) -> Value {
    let status = status(code);
    json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
        "retryable": code.is_retryable(),
    })
}

/// An error in the form of RFC 9457, as the API has it.
pub(super) fn problem(code: ErrorCode, detail: &str, id: Option<&RequestId>) -> Response {
    let mut body = body(code, detail);
    body["requestId"] = id.map(RequestId::as_str).into();
    let mut response = (status(code), Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The request does not say to which host it goes, or says it in more than one way. What comes after it
/// may be meant for somebody else (RFC 9112 §11.2), so the connection ends.
pub(super) async fn bad_host(request: Request) -> Response {
    let detail = "a request has exactly one header \"Host\", with a host and maybe a port";
    let mut response = problem(ErrorCode::BadRequest, detail, request.extensions().get());
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// There is no such path.
pub(super) fn not_found(id: Option<&RequestId>) -> Response {
    problem(ErrorCode::NotFound, "there is no such path", id)
}

/// The path exists, but not with this method.
pub(super) async fn method_not_allowed(request: Request) -> Response {
    let detail = "this path has other methods: see the header \"Allow\"";
    problem(ErrorCode::MethodNotAllowed, detail, request.extensions().get())
}
