#![doc = include_str!("../README.md")]

mod answer;
mod auth;
mod caller_id;
mod config;
mod conversations;
mod cookie;
mod extract;
mod finish;
mod limits;
mod messages;
mod origin;
mod presence;
mod problem;
mod request_id;
mod rooms;
mod routes;
mod state;
mod users;

use axum::Router;
use chat_core::Chat;

pub use caller_id::CallerId;
pub use config::HttpConfig;
pub use cookie::SessionCookie;

/// The REST API of `chat`, with paths relative to wherever the host nests it.
///
/// The router answers every path under its base by itself, unknown ones too, so that a client
/// never meets an error in another form. A host that adds paths of its own below the same base
/// (such as the WebSocket endpoint) gives them to the router that this one is nested in, or calls
/// [`Router::route`] on this one.
pub fn router(chat: Chat, config: HttpConfig) -> Router {
    routes::router(chat, config)
}
