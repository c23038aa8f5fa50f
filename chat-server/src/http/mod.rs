//! All paths of the server.

mod catch_panic;
mod dev_token;
mod host;
mod page;
pub(crate) mod problem;
mod ready;
mod request_log;
mod time_limit;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, get};
use axum::{Json, Router};
use chat_core::auth::OriginPolicy;
use chat_http::{HttpConfig, SessionCookie};
use chat_ws::WsEndpoint;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use self::ready::Readiness;
use crate::Engine;
use crate::config::Config;

/// Everything that the server answers: health, the API, WebSockets, the page, and in development
/// tokens for the asking. It is not ready from when `leaving` is cancelled.
pub(crate) fn router(
    engine: &Engine,
    ws: WsEndpoint,
    leaving: &CancellationToken,
    config: &Config,
) -> Router {
    let base = config.base_path.as_str();
    let api = HttpConfig {
        accounts: Some(engine.accounts.clone()),
        origins: OriginPolicy::new(config.origins.clone()).https_only(config.cookie.secure),
        session_cookie: session_cookie(config),
        registration: config.accounts.registration,
        json_body_bytes: config.http.body_bytes,
        ..HttpConfig::new(engine.authenticator.clone())
    };
    let readiness = Readiness::new(engine.chat.clone(), leaving.clone());
    let mut router = Router::new()
        .route("/healthz", get(async || Json(json!({"status": "ok"}))))
        .route("/readyz", get(ready::ready).with_state(readiness))
        .route(
            &format!("{base}/ws"),
            any(async move |request: Request| ws.handle(request).await.map(Body::new)),
        )
        .nest(base, chat_http::router(engine.chat.clone(), api))
        .fallback(page::show)
        .method_not_allowed_fallback(problem::method_not_allowed);
    if let Some(issuer) = &engine.development_issuer {
        router = router.merge(dev_token::route(Arc::clone(issuer), config.dev_allow_remote));
    }
    let limit = Duration::from_millis(config.http.request_timeout_ms);
    router
        .layer(from_fn(catch_panic::catch_panic))
        .layer(from_fn_with_state(limit, time_limit::limit_time))
        .layer(from_fn(request_log::log_request))
}

/// How browsers keep the token of a login.
pub(crate) fn session_cookie(config: &Config) -> SessionCookie {
    if config.cookie.secure { SessionCookie::Secure } else { SessionCookie::Plain }
}
