//! Configuration: what can be set, where it comes from, and what is allowed.
//!
//! Four sources, each stronger than the one before: the defaults, a TOML file, the environment, and
//! the command line. A key has one name everywhere: `limits.page_max` in a file and on the command
//! line is `CHAT_LIMITS__PAGE_MAX` in the environment.

mod cluster;
mod cluster_url;
mod database_url;
mod error;
mod key;
mod list;
mod parts;
mod secret;
mod settings;
mod sources;
mod tree;
mod validate;

pub use cluster::ClusterSettings;
pub use cluster_url::{BrokerKind, ClusterUrl, InvalidClusterUrl};
pub use database_url::{DatabaseKind, DatabaseUrl, InvalidDatabaseUrl};
pub use error::{ConfigError, Origin};
pub use key::Key;
pub use parts::{
    AccountsConfig, ConnectionsConfig, CookieConfig, HttpLimits, JwtSettings, LogConfig, LogFormat,
    PresenceConfig, RoomsConfig, StoreConfig, WebSocketConfig,
};
pub use settings::Config;
pub use sources::{Loaded, Sources};
