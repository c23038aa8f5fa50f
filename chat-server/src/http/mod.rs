//! All paths of the server.

mod address_budget;
mod catch_panic;
mod dev_token;
mod host;
mod page;
pub(crate) mod problem;
mod ready;
mod request_log;
mod time_limit;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use chat_core::auth::OriginPolicy;
use chat_http::{HttpConfig, SessionCookie};
use chat_ws::WsEndpoint;
use futures::FutureExt;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use self::address_budget::{AddressBudget, refuse};
use self::catch_panic::catch_panic;
use self::ready::Readiness;
use self::request_log::log_request;
use self::time_limit::limit_time;
use crate::Engine;
use crate::config::Config;

/// Everything that the server answers: health, the API, WebSockets, the page, and in development
/// tokens for the asking. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Site(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Where devices connect.
    ws_path: String,
    ws: WsEndpoint,
    /// All other paths.
    pages: Router,
    /// How long an answer may take.
    limit: Duration,
    /// How many requests an address may make.
    budget: AddressBudget,
}

impl Site {
    /// A site of an engine. It is not ready from when `leaving` is cancelled.
    pub(crate) fn new(
        engine: &Engine,
        ws: WsEndpoint,
        leaving: &CancellationToken,
        config: &Config,
    ) -> Self {
        let limit = Duration::from_millis(config.http.request_timeout_ms);
        Self(Arc::new(Inner {
            ws_path: format!("{}/ws", config.base_path),
            ws,
            pages: pages(engine, leaving, config, limit),
            limit,
            budget: AddressBudget::new(config),
        }))
    }

    /// Answers a request.
    ///
    /// Devices connect, and after a restart come back, all at one moment. So their path is looked at
    /// first, and they do not pay for the router.
    pub(crate) async fn answer(self, request: Request) -> Response {
        let Inner { ws_path, ws, pages, limit, budget } = &*self.0;
        if let Err(wait) = budget.take(&request) {
            return attend("(refused)", *limit, request, |request| refuse(request, wait)).await;
        }
        if request.uri().path() == ws_path {
            let connect = |request| ws.handle(request).map(|response| response.map(Body::new));
            return attend(ws_path, *limit, request, connect).await;
        }
        let Ok(response) = pages.clone().oneshot(request).await;
        response
    }
}

fn pages(engine: &Engine, leaving: &CancellationToken, config: &Config, limit: Duration) -> Router {
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
        .nest(config.base_path.as_str(), chat_http::router(engine.chat.clone(), api))
        .fallback(page::show)
        .method_not_allowed_fallback(problem::method_not_allowed);
    if let Some(issuer) = &engine.development_issuer {
        router = router.merge(dev_token::route(Arc::clone(issuer), config.dev_allow_remote));
    }
    router.layer(from_fn(move |request: Request, next: Next| async move {
        let path = request.extensions().get::<MatchedPath>().cloned();
        let path = path.as_ref().map_or("(none)", MatchedPath::as_str);
        attend(path, limit, request, |request| next.run(request)).await
    }))
}

/// What holds for every request: it is named and logged, answered in time, and a panic is one answer
/// and no more.
async fn attend<F>(
    path: &str,
    limit: Duration,
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    let caught = |request| catch_panic(request, answer);
    log_request(path, request, |request| limit_time(limit, request, caught)).await
}

/// How browsers keep the token of a login.
pub(crate) fn session_cookie(config: &Config) -> SessionCookie {
    if config.cookie.secure { SessionCookie::Secure } else { SessionCookie::Plain }
}
