use std::time::Duration;

use chat_core::auth::{OriginPolicy, SECURE_SESSION_COOKIE};

use crate::connection::ConnectionConfig;

/// How an endpoint admits connections, and what each may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WsConfig {
    /// Which web pages may connect: any `Origin` that comes must be allowed. Default: pages of the
    /// server's own origin, which is `https` unless the server is reached at a loopback address.
    pub origins: OriginPolicy,
    /// The name of the session cookie. Default
    /// [`SECURE_SESSION_COOKIE`](chat_core::auth::SECURE_SESSION_COOKIE); over plain HTTP, in
    /// development, browsers keep only
    /// [`PLAIN_SESSION_COOKIE`](chat_core::auth::PLAIN_SESSION_COOKIE).
    pub session_cookie: String,
    /// Whether `?token=` is looked at. Addresses end up in the logs of proxies and in histories of
    /// browsers, so it is for clients that can do nothing else. Default: no.
    pub allow_query_token: bool,
    /// How long a connection without a credential may take to send `session.authenticate`, and how
    /// long the check of any token may take. Default 5 s.
    pub authentication_timeout: Duration,
    /// The most connections, all together, that have not said who they are. Default 1,000.
    pub unauthenticated_connections: usize,
    /// What each connection may cost. The endpoint replaces `message_bytes` and `heartbeat` by
    /// what its engine publishes.
    pub connection: ConnectionConfig,
}

impl Default for WsConfig {
    fn default() -> Self {
        Self {
            origins: OriginPolicy::default().https_only(true),
            session_cookie: SECURE_SESSION_COOKIE.into(),
            allow_query_token: false,
            authentication_timeout: Duration::from_secs(5),
            unauthenticated_connections: 1_000,
            connection: ConnectionConfig::default(),
        }
    }
}
