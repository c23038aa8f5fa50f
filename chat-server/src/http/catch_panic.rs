use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use chat_core::proto::ErrorCode;
use futures::FutureExt;

use super::problem::problem;
use super::request_log::RequestId;

/// Answers a panic with 500, and leaves the connection and everybody else alone. The panic hook
/// has logged it by then.
pub(super) async fn catch_panic(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| problem(ErrorCode::Internal, "a fault of the server", id.as_ref()))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::http::request_log::log_request;

    #[tokio::test]
    async fn a_panic_is_answered_with_500_and_tells_nothing() {
        let router = Router::new()
            .route("/", get(async || if true { panic!("canary") } else { "never" }))
            .layer(from_fn(catch_panic))
            .layer(from_fn(log_request));
        let request =
            Request::get("/").header("x-request-id", "edge-7").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["x-request-id"], "edge-7");
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["code"], "internal");
        assert_eq!(body["requestId"], "edge-7");
        assert!(!body.to_string().contains("canary"));
    }
}
