use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::Next;
use axum::response::Response;

use crate::caller_id::CallerSlot;
use crate::problem::Problem;
use crate::request_id::{RequestId, X_REQUEST_ID};

/// The outermost layer: gives every request an id, writes the body of a [`Problem`], tells the
/// host who asked, and keeps answers out of caches, since each is for one user at one moment.
pub(crate) async fn finish(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let slot = CallerSlot::default();
    request.extensions_mut().insert(slot.clone());
    let mut response = next.run(request).await;
    if let Some(caller) = slot.caller() {
        response.extensions_mut().insert(caller);
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        problem.log(&id);
        problem.write_headers(response.headers_mut());
        *response.body_mut() = Body::from(problem.body(&id));
    }
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_REQUEST_ID, id.into());
    response
}
