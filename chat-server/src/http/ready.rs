use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chat_core::{Chat, NotReady};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long the probes may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// How often the log says that a server is still not ready, however often it is asked.
const REMIND: Duration = Duration::from_secs(30);

/// Whether a server is ready, for whoever asks.
#[derive(Debug, Clone)]
pub(super) struct Readiness {
    chat: Chat,
    /// Cancelled when the server begins to stop.
    leaving: CancellationToken,
    /// When the log last said that it is not; none while it is. Held for a few lines.
    logged: Arc<Mutex<Option<Instant>>>,
}

impl Readiness {
    pub(super) fn new(chat: Chat, leaving: CancellationToken) -> Self {
        Self { chat, leaving, logged: Arc::default() }
    }

    /// A server that is about to stop says so before it does anything else about it: what asks sends
    /// people elsewhere from then on.
    async fn ask(&self) -> Result<(), NotReady> {
        if self.leaving.is_cancelled() {
            return Err(NotReady::Draining);
        }
        let answer = self.chat.ready(DEADLINE).await;
        self.log(&answer);
        answer
    }

    fn log(&self, answer: &Result<(), NotReady>) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(()) if logged.take().is_some() => tracing::info!("ready again"),
            Ok(()) => {}
            Err(_) if logged.is_some_and(|last| last.elapsed() < REMIND) => {}
            Err(error) => {
                *logged = Some(Instant::now());
                let error: &dyn Error = error;
                tracing::warn!(error, "not ready");
            }
        }
    }
}

/// `GET /readyz`: whether requests can be served at this moment, and if not, why.
pub(super) async fn ready(State(readiness): State<Readiness>) -> Response {
    match readiness.ask().await {
        Ok(()) => Json(json!({"status": "ready"})).into_response(),
        Err(not_ready) => {
            // The cause in its own words belongs to the log: it may name hosts.
            let mut reason = not_ready.to_string();
            if let Some(cause) = not_ready.source() {
                reason = format!("{reason}: {cause}");
            }
            let body = json!({"status": "not ready", "reason": reason});
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}
