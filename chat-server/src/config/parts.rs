use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use chat_core::PresenceScope;

use super::database_url::DatabaseUrl;
use super::secret::redacted;

/// Tokens of a host (`[jwt]`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct JwtSettings {
    /// The secret shared with the host, at least 32 bytes. Without one, the server makes its own.
    #[serde(serialize_with = "redacted")]
    pub secret: Option<SecretString>,
    /// The `iss` that tokens must have.
    pub issuer: Option<String>,
    /// The `aud` that tokens must have.
    pub audience: Option<String>,
}

/// The session cookie (`[cookie]`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CookieConfig {
    /// Whether browsers send it over TLS only. Default true; false in development.
    pub secure: bool,
}

impl Default for CookieConfig {
    fn default() -> Self {
        Self { secure: true }
    }
}

/// Accounts of the server's own (`[accounts]`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AccountsConfig {
    /// Whether anybody may make an account. Default true.
    pub registration: bool,
    /// Failed logins of one account before further ones have to wait. Default 5.
    pub login_failures: u32,
    /// Logins and registrations of one address each minute. Default 10.
    pub logins_per_minute: u32,
    /// Logins that wait while others are checked. Default 256.
    pub login_queue: usize,
    /// Days after its last use until a session ends. Default 30.
    pub session_days: u32,
}

impl Default for AccountsConfig {
    fn default() -> Self {
        Self {
            registration: true,
            login_failures: 5,
            logins_per_minute: 10,
            login_queue: 256,
            session_days: 30,
        }
    }
}

/// Rooms (`[rooms]`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RoomsConfig {
    /// Whether joining a public room by a name that none has makes one. Default false.
    pub create_on_join: bool,
}

/// Presence (`[presence]`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PresenceConfig {
    /// Whose presence a user sees: `everyone`, or of those who share a conversation (`shared`).
    pub scope: PresenceScope,
    /// How long a user without a connection still counts as online. Default 15,000.
    pub grace_ms: u64,
    /// How long after a crash its users count as online. Default 20,000.
    pub lease_ms: u64,
}

impl Default for PresenceConfig {
    fn default() -> Self {
        Self { scope: PresenceScope::default(), grace_ms: 15_000, lease_ms: 20_000 }
    }
}

/// The store (`[store]`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Which database. Without one, a SQLite file in the data folder. `DATABASE_URL` sets it, too.
    pub url: Option<DatabaseUrl>,
    /// A copy of a Postgres database that is asked for what may lag a moment: old messages and
    /// searches for people.
    pub replica_url: Option<DatabaseUrl>,
    /// Connections to Postgres, at most. Default 16.
    pub max_connections: u32,
    /// Whether a pooler that hands connections on after each transaction, such as PgBouncer, stands
    /// before Postgres. Default false.
    pub transaction_pooler: bool,
    /// How long Postgres may work on one statement. Default 4,000.
    pub statement_timeout_ms: u64,
    /// How long Postgres may wait for a lock. Default 2,000.
    pub lock_timeout_ms: u64,
    /// How long a call of the store may take. Default 5,000.
    pub call_timeout_ms: u64,
    /// Calls that fail one after another before the store is left alone for a while. Default 5.
    pub breaker_failures: u32,
    /// Whether what is read often is remembered. Default true.
    pub cache: bool,
    /// How old what is remembered may be, should news of a change be lost. Default 5,000.
    pub cache_staleness_ms: u64,
    /// The most things of a kind that are remembered. Default 10,000.
    pub cache_entries: u64,
    /// Conversations that are read at the start, the most recent first. Default 1,000.
    pub cache_warm: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: None,
            replica_url: None,
            max_connections: 16,
            transaction_pooler: false,
            statement_timeout_ms: 4_000,
            lock_timeout_ms: 2_000,
            call_timeout_ms: 5_000,
            breaker_failures: 5,
            cache: true,
            cache_staleness_ms: 5_000,
            cache_entries: 10_000,
            cache_warm: 1_000,
        }
    }
}

/// The log (`[log]`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LogConfig {
    /// How lines are written. Default `text`.
    pub format: LogFormat,
    /// What is logged, in the syntax of `tracing_subscriber::EnvFilter`. Default `info`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::default(), filter: "info".into() }
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Connections of any kind (`[connections]`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ConnectionsConfig {
    /// The most at a time. Default 10,000.
    pub total: usize,
    /// The most of one address at a time. Default 100.
    pub per_address: usize,
    /// Whether loopback addresses are limited as well. Default false: behind a reverse proxy on
    /// the same machine, every user has one.
    pub limit_loopback: bool,
    /// The most that have not said who they are. Default 1,000.
    pub unauthenticated: usize,
}

impl Default for ConnectionsConfig {
    fn default() -> Self {
        Self { total: 10_000, per_address: 100, limit_loopback: false, unauthenticated: 1_000 }
    }
}

/// Requests (`[http]`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HttpLimits {
    /// How long a request's head may take to arrive. Default 5,000.
    pub header_timeout_ms: u64,
    /// How long a request may take, from its head to its answer. Default 30,000.
    pub request_timeout_ms: u64,
    /// How long a client may take nothing of an answer. Default 30,000.
    pub write_timeout_ms: u64,
    /// The most bytes of a request's head. Default 16 KiB.
    pub header_bytes: usize,
    /// The most bytes of a JSON body. Default 64 KiB.
    pub body_bytes: usize,
    /// Requests an address may make each second, over time. Default 300.
    pub requests_per_second: u32,
    /// Requests an address may make at once. Default 3,000.
    pub request_burst: u32,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            header_timeout_ms: 5_000,
            request_timeout_ms: 30_000,
            write_timeout_ms: 30_000,
            header_bytes: 16 * 1024,
            body_bytes: 64 * 1024,
            requests_per_second: 300,
            request_burst: 3_000,
        }
    }
}

/// WebSocket connections (`[websocket]`); what clients must know is in `[limits]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct WebSocketConfig {
    /// How long a connection may take to say who it is. Default 5,000.
    pub authentication_timeout_ms: u64,
    /// The most fragments of one message. Default 64.
    pub fragments: u32,
    /// How long one message may take to arrive. Default 10,000.
    pub assembly_timeout_ms: u64,
    /// Frames a client may send each second, over time. Default 100.
    pub frames_per_second: u32,
    /// Frames a client may send at once. Default 200.
    pub frame_burst: u32,
    /// How long a client may keep a write waiting. Default 10,000.
    pub write_timeout_ms: u64,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self {
            authentication_timeout_ms: 5_000,
            fragments: 64,
            assembly_timeout_ms: 10_000,
            frames_per_second: 100,
            frame_burst: 200,
            write_timeout_ms: 10_000,
        }
    }
}
