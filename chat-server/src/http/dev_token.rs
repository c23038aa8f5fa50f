use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use chat_auth::{JwtIssuer, TokenSubject};
use chat_core::proto::{DisplayName, ErrorCode, UserId, Username};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::host::is_this_machine;
use super::problem::problem;
use super::request_log::RequestId;

/// The most bytes of a request.
const MAX_BYTES: usize = 4 * 1024;

/// How long a token is good when the request does not say.
const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// The longest that a token is good, in seconds: 30 days.
const MAX_LIFETIME_SECONDS: u32 = 30 * 24 * 60 * 60;

#[derive(Debug, Clone)]
struct DevTokens {
    issuer: Arc<JwtIssuer>,
    /// Whether other machines may ask.
    remote: bool,
}

/// `POST /dev/token`: a token for any user, to whoever asks. It stands in for the host's
/// application, and exists in development only.
///
/// Unless `remote`, the request must name this machine in its `Host`. A web page that resolves its
/// own name to a loopback address reaches this port from the browser of a developer, with that name
/// in `Host` (DNS rebinding).
pub(super) fn route(issuer: Arc<JwtIssuer>, remote: bool) -> Router {
    Router::new().route("/dev/token", post(issue)).with_state(DevTokens { issuer, remote })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenRequest {
    user_id: UserId,
    #[serde(default, deserialize_with = "name")]
    username: Option<Username>,
    #[serde(default, deserialize_with = "name")]
    display_name: Option<DisplayName>,
    expires_in_seconds: Option<u32>,
}

async fn issue(State(tokens): State<DevTokens>, request: Request) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let refuse = |code, detail: &str| problem(code, detail, id.as_ref());
    if !tokens.remote && !is_this_machine(&request) {
        let detail = "tokens are for this machine: ask localhost or a loopback address";
        return refuse(ErrorCode::Forbidden, detail);
    }
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
    let lifetime = match asked.expires_in_seconds {
        None => LIFETIME,
        Some(seconds) if seconds <= MAX_LIFETIME_SECONDS => Duration::from_secs(seconds.into()),
        Some(_) => {
            let detail = "expiresInSeconds is at most 2592000, which are 30 days";
            return refuse(ErrorCode::InvalidPayload, detail);
        }
    };
    let subject = TokenSubject {
        id: asked.user_id,
        username: asked.username,
        display_name: asked.display_name,
    };
    match tokens.issuer.issue(&subject, Timestamp::now(), lifetime) {
        Ok(token) => {
            let no_store = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (no_store, Json(json!({"token": token.expose_secret()}))).into_response()
        }
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "a token could not be signed");
            refuse(ErrorCode::Internal, "a fault of the server")
        }
    }
}

/// A name by the rules for new ones: by themselves, names are read as records have them.
fn name<'de, D, N>(deserializer: D) -> Result<Option<N>, D::Error>
where
    D: Deserializer<'de>,
    N: TryFrom<String, Error: std::fmt::Display>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(N::try_from).transpose().map_err(serde::de::Error::custom)
}
