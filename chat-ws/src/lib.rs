#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may"))]

mod admission;
mod config;
mod connection;
mod endpoint;
mod handshake;
mod problem;
mod tcp;
mod visitor;

pub use config::WsConfig;
pub use connection::{Closing, ConnectionConfig, Ended, Incoming, Speaker, Turn, serve, serve_tcp};
pub use endpoint::WsEndpoint;
pub use handshake::{Upgrade, upgrade};
pub use problem::Problem;
pub use tcp::TcpBased;
