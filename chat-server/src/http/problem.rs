use axum::Json;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chat_core::proto::ErrorCode;
use serde_json::json;

use super::request_log::RequestId;

/// An error in the form of RFC 9457, as the API has it.
pub(super) fn problem(code: ErrorCode, detail: &str, id: Option<&RequestId>) -> Response {
    let status = StatusCode::from_u16(code.http_status())
        .expect("the status of every code is one of RFC 9110");
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
        "retryable": code.is_retryable(),
        "requestId": id.map(RequestId::as_str),
    });
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
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
