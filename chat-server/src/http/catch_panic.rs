use std::future::Future;
use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::response::Response;
use chat_core::proto::ErrorCode;
use futures::FutureExt;

use super::problem::problem;
use super::request_log::RequestId;

/// Answers a panic with 500, and leaves the connection and everybody else alone. The panic hook
/// has logged it by then.
pub(super) async fn catch_panic<F>(request: Request, answer: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let id = request.extensions().get::<RequestId>().cloned();
    AssertUnwindSafe(answer(request))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| problem(ErrorCode::Internal, "a fault of the server", id.as_ref()))
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};

    use super::*;
    use crate::http::request_log::log_request;

    #[tokio::test]
    async fn a_panic_is_answered_with_500_and_tells_nothing() {
        let panics = async |_| if true { panic!("canary") } else { Response::default() };
        let request =
            Request::get("/").header("x-request-id", "edge-7").body(Body::empty()).unwrap();
        let response = log_request("/", request, |request| catch_panic(request, panics)).await;
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["x-request-id"], "edge-7");
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["code"], "internal");
        assert_eq!(body["requestId"], "edge-7");
        assert!(!body.to_string().contains("canary"));
    }
}
