use std::future::Future;
use std::time::Duration;

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::Response;
use chat_core::proto::ErrorCode;
use tokio::time::timeout;

use super::problem::problem;
use super::request_log::RequestId;

/// Gives up on a request that takes too long, above all on one whose body trickles in. A connection
/// that has become a WebSocket has had its answer, and keeps its own time.
pub(super) async fn limit_time<F>(
    limit: Duration,
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    let id = request.extensions().get::<RequestId>().cloned();
    timeout(limit, answer(request)).await.unwrap_or_else(|_| {
        let detail = "the request took too long: try again";
        let mut response = problem(ErrorCode::Unavailable, detail, id.as_ref());
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    })
}
