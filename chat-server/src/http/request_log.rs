use std::future::Future;
use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use chat_http::CallerId;
use uuid::Uuid;

/// The header by which a request is followed through logs, here and in front of the server.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The most characters of an id that is taken from outside.
const MAX_CHARS: usize = 128;

/// What a request is called in logs and in its answer.
#[derive(Debug, Clone)]
pub(super) struct RequestId(String);

impl RequestId {
    fn of(request: &Request) -> Self {
        let given = request.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
        let is_safe = |id: &&str| {
            (1..=MAX_CHARS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let given = given.filter(is_safe).map(str::to_owned);
        Self(given.unwrap_or_else(|| Uuid::now_v7().to_string()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names a request, and writes one line about it when it is answered, with the user who made it, where
/// the API found out.
///
/// `path` is the pattern of the path and never the path itself or its query, so that no id and no
/// token gets into a log by way of an address.
pub(super) async fn log_request<F>(
    path: &str,
    mut request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    let began = Instant::now();
    let id = RequestId::of(&request);
    let name = HeaderValue::try_from(id.as_str()).expect("an id is visible ASCII");
    let method = request.method().clone();
    request.headers_mut().insert(X_REQUEST_ID, name.clone());
    request.extensions_mut().insert(id.clone());

    let mut response = answer(request).await;
    response.headers_mut().insert(X_REQUEST_ID, name);
    tracing::info!(
        request_id = id.as_str(),
        %method,
        path,
        status = response.status().as_u16(),
        user = response.extensions().get::<CallerId>().map(|caller| caller.0.as_str()),
        duration_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        "request"
    );
    response
}
