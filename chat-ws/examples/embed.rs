//! An application that has users already gets chat at `/chat`.
//!
//! ```sh
//! cargo run --example embed
//! token=$(curl -s -X POST 'http://127.0.0.1:3000/login?name=ada')
//! websocat -H "Authorization: Bearer $token" ws://127.0.0.1:3000/chat
//! ```
//!
//! The application is axum's here. With plain hyper it is the same call from a service function:
//! `endpoint.handle(request).await`, on a connection that is served `.with_upgrades()`.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{any, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_core::auth::{AuthError, Authenticator, Identity, UserClaims};
use chat_core::proto::{DisplayName, UserId};
use chat_core::{Chat, MemoryStore};
use chat_ws::{WsConfig, WsEndpoint};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;

/// What the application knows of its users: here, who is behind which token. An application whose
/// tokens are JWTs would verify them instead, as `chat-auth` does.
#[derive(Debug, Default)]
struct Logins(RwLock<HashMap<String, UserClaims>>);

impl Logins {
    fn log_in(&self, name: &str) -> Option<String> {
        let id: UserId = name.parse().ok()?;
        let display_name = DisplayName::try_from(name.to_owned()).ok();
        let token = random_token()?;
        let mut logins = self.0.write().unwrap_or_else(PoisonError::into_inner);
        logins.insert(token.clone(), UserClaims { display_name, ..UserClaims::of(id) });
        Some(token)
    }
}

/// All that the chat asks of its host: whose token is this? Users appear in the chat's store at
/// first sight.
#[async_trait]
impl Authenticator for Logins {
    async fn authenticate(&self, token: &SecretString) -> Result<Identity, AuthError> {
        let logins = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let claims = logins.get(token.expose_secret()).cloned().ok_or(AuthError::Invalid)?;
        Ok(Identity { claims, login: None, expires_at: None })
    }
}

#[derive(Debug, Clone)]
struct App {
    logins: Arc<Logins>,
    chat: WsEndpoint,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let logins = Arc::new(Logins::default());
    let chat = Chat::builder(Arc::new(MemoryStore::new())).build();
    let endpoint = WsEndpoint::new(chat.clone(), Arc::clone(&logins) as _, WsConfig::default());

    let router = Router::new()
        .route("/login", post(log_in))
        .route("/chat", any(connect))
        .with_state(App { logins, chat: endpoint.clone() });
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router).with_graceful_shutdown(interrupted()).await?;

    // Upgraded connections are no longer the HTTP server's: they are ended here.
    chat.drain(Duration::from_secs(5));
    endpoint.shutdown(Duration::from_secs(10)).await;
    chat.shutdown().await;
    Ok(())
}

/// The application's own business.
async fn log_in(
    State(app): State<App>,
    Query(mut query): Query<HashMap<String, String>>,
) -> Result<String, StatusCode> {
    let name = query.remove("name").ok_or(StatusCode::BAD_REQUEST)?;
    app.logins.log_in(&name).ok_or(StatusCode::UNPROCESSABLE_ENTITY)
}

/// The chat's.
async fn connect(State(app): State<App>, request: Request) -> Response {
    app.chat.handle(request).await.map(Body::new)
}

/// 256 random bits.
fn random_token() -> Option<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
