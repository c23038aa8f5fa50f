use std::error::Error;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chat_core::{Chat, NotReady};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// How long a probe of the store may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// `GET /readyz`: whether requests can be served at this moment, and if not, why.
///
/// A server that is about to stop says so before it does anything else about it: what asks here sends
/// people elsewhere from then on.
pub(super) async fn ready(State((chat, leaving)): State<(Chat, CancellationToken)>) -> Response {
    let answer = match leaving.is_cancelled() {
        true => Err(NotReady::Draining),
        false => chat.ready(DEADLINE).await,
    };
    match answer {
        Ok(()) => Json(json!({"status": "ready"})).into_response(),
        Err(not_ready) => {
            // The cause in its own words belongs to the log: it may name hosts.
            let mut reason = not_ready.to_string();
            if let Some(cause) = not_ready.source() {
                reason = format!("{reason}: {cause}");
            }
            let error: &dyn Error = &not_ready;
            match &not_ready {
                NotReady::Draining => tracing::debug!(error, "not ready"),
                _ => tracing::warn!(error, "not ready"),
            }
            let body = json!({"status": "not ready", "reason": reason});
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}
