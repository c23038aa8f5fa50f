use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use chat_core::proto::{Heartbeat, Limits};
use serde::{Deserialize, Serialize};

use super::cluster::ClusterSettings;
use super::parts::{
    AccountsConfig, ConnectionsConfig, CookieConfig, HttpLimits, JwtSettings, LogConfig,
    PresenceConfig, RoomsConfig, StoreConfig, WebSocketConfig,
};
use super::tree::Tree;

/// Everything that can be set. The defaults suit a server behind a reverse proxy that does TLS.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Config {
    /// The address and port to listen on. Default `127.0.0.1:8080`; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The folder that holds the database and the secret. Default `data`.
    pub data: PathBuf,
    /// The path of the API. Default `/api/chat`.
    pub base_path: String,
    /// Other origins whose pages may use the API with a user's cookie. Default: none.
    pub origins: Vec<String>,
    /// Whether a WebSocket may carry its token as `?token=`. Default false.
    pub allow_query_token: bool,
    /// How long connections are still taken after `/readyz` has said that the server stops, so that
    /// a load balancer can see it first. Default 0.
    pub drain_delay_ms: u64,
    /// How long connections may take to end when the server stops. Default 15.
    pub drain_seconds: u64,
    /// Tokens of a host.
    pub jwt: JwtSettings,
    /// The session cookie.
    pub cookie: CookieConfig,
    /// Accounts of the server's own.
    pub accounts: AccountsConfig,
    /// Rooms.
    pub rooms: RoomsConfig,
    /// Presence.
    pub presence: PresenceConfig,
    /// The store.
    pub store: StoreConfig,
    /// Several servers as one.
    pub cluster: ClusterSettings,
    /// The log.
    pub log: LogConfig,
    /// Connections of any kind.
    pub connections: ConnectionsConfig,
    /// Requests.
    pub http: HttpLimits,
    /// WebSocket connections.
    pub websocket: WebSocketConfig,
    /// What clients may send.
    pub limits: Limits,
    /// How dead connections are found.
    pub heartbeat: Heartbeat,
    /// Development: demo accounts, tokens for the asking, a cookie without TLS. Set by `--dev`
    /// only, never by a file, so that no deployment has it by accident.
    #[serde(skip)]
    pub dev: bool,
    /// Whether development may be served to other machines. Set by `--dev-allow-remote` only.
    #[serde(skip)]
    pub dev_allow_remote: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data: "data".into(),
            base_path: "/api/chat".into(),
            origins: Vec::new(),
            allow_query_token: false,
            drain_delay_ms: 0,
            drain_seconds: 15,
            jwt: JwtSettings::default(),
            cookie: CookieConfig::default(),
            accounts: AccountsConfig::default(),
            rooms: RoomsConfig::default(),
            presence: PresenceConfig::default(),
            store: StoreConfig::default(),
            cluster: ClusterSettings::default(),
            log: LogConfig::default(),
            connections: ConnectionsConfig::default(),
            http: HttpLimits::default(),
            websocket: WebSocketConfig::default(),
            limits: Limits::default(),
            heartbeat: Heartbeat::default(),
            dev: false,
            dev_allow_remote: false,
        }
    }
}

impl Config {
    /// The defaults of development: a cookie that works without TLS, and a quick stop.
    #[must_use]
    pub fn development() -> Self {
        Self {
            dev: true,
            cookie: CookieConfig { secure: false },
            drain_seconds: 1,
            ..Self::default()
        }
    }

    /// The configuration as a file: every key, with secrets redacted.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let tree = Tree::of(self).expect("a configuration is plain data");
        let mut text = String::new();
        for (key, value) in tree.leaves() {
            let line = if value.is_null() {
                writeln!(text, "# {key} is not set")
            } else {
                writeln!(text, "{key} = {value}")
            };
            line.expect("a string takes what is written to it");
        }
        text
    }
}
