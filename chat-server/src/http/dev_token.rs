use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use chat_auth::{JwtIssuer, TokenSubject};
use chat_core::proto::{DisplayName, ErrorCode, UserId, Username};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use super::problem::problem;
use super::request_log::RequestId;

/// The most bytes of a request.
const MAX_BYTES: usize = 4 * 1024;

/// How long a token is good when the request does not say.
const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// `POST /dev/token`: a token for any user, to whoever asks. It stands in for the host's
/// application, and exists in development only.
pub(super) fn route(issuer: Arc<JwtIssuer>) -> Router {
    Router::new().route("/dev/token", post(issue)).with_state(issuer)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenRequest {
    user_id: UserId,
    username: Option<Username>,
    display_name: Option<DisplayName>,
    expires_in_seconds: Option<u32>,
}

async fn issue(State(issuer): State<Arc<JwtIssuer>>, request: Request) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let refuse = |code, detail: &str| problem(code, detail, id.as_ref());
    let Ok(body) = to_bytes(Body::new(request.into_body()), MAX_BYTES).await else {
        return refuse(ErrorCode::PayloadTooLarge, "the body has at most 4096 bytes");
    };
    let asked: TokenRequest = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) if error.is_data() => {
            return refuse(ErrorCode::InvalidPayload, &error.to_string());
        }
        Err(_) => return refuse(ErrorCode::MalformedJson, "the body must be {\"userId\": …}"),
    };
    let lifetime = asked.expires_in_seconds.map_or(LIFETIME, |s| Duration::from_secs(s.into()));
    let subject = TokenSubject {
        id: asked.user_id,
        username: asked.username,
        display_name: asked.display_name,
    };
    match issuer.issue(&subject, Timestamp::now(), lifetime) {
        Ok(token) => Json(json!({"token": token.expose_secret()})).into_response(),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "a token could not be signed");
            refuse(ErrorCode::Internal, "a fault of the server")
        }
    }
}
