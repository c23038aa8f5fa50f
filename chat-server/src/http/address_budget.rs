use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use chat_core::auth::PeerAddress;
use chat_core::limit::{Quota, RateLimiter, subscriber};
use chat_core::proto::ErrorCode;
use tokio::time::Instant;

use super::problem::{PROBLEM_JSON, body, status};
use super::request_log::RequestId;
use crate::config::Config;

/// How many requests an address may make: counted before anything is looked at, so that a stranger,
/// who has no budget of a user's, cannot have credentials checked without end. The handshake of a
/// WebSocket is one, whatever is said over it.
#[derive(Debug)]
pub(super) struct AddressBudget {
    requests: RateLimiter<IpAddr>,
    limit_loopback: bool,
}

impl AddressBudget {
    pub(super) fn new(config: &Config) -> Self {
        let quota = NonZeroU32::new(config.http.requests_per_second)
            .map(|events| Quota::new(events, Duration::from_secs(1), config.http.request_burst));
        let limit_loopback = config.connections.limit_loopback;
        Self { requests: RateLimiter::new(quota), limit_loopback }
    }

    /// Counts a request, or says how long its address has to wait.
    pub(super) fn take(&self, request: &Request) -> Result<(), Duration> {
        let Some(PeerAddress(address)) = request.extensions().get() else { return Ok(()) };
        let address = subscriber(*address);
        if address.is_loopback() && !self.limit_loopback {
            return Ok(());
        }
        self.requests.check(&address, Instant::now())
    }
}

/// The answer to a request that was not counted.
pub(super) async fn refuse(request: Request, wait: Duration) -> Response {
    let millis = wait.as_millis().max(1);
    let detail = format!("too many requests from this address: try again in {millis} ms");
    let code = ErrorCode::RateLimited;
    let mut body = body(code, &detail);
    body["retryAfterMs"] = u64::try_from(millis).unwrap_or(u64::MAX).into();
    body["requestId"] = request.extensions().get().map(RequestId::as_str).into();
    let mut response = (status(code), Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let seconds = u64::try_from(millis.div_ceil(1_000)).unwrap_or(u64::MAX);
    headers.insert(RETRY_AFTER, seconds.into());
    response
}
