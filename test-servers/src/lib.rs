#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may"))]

mod controls;
mod error;
mod nats;
mod pgbouncer;
mod port;
mod postgres;
mod process;
mod program;
mod proxy;
mod redis;
mod server;
mod text;
mod user;
mod wire;

pub use error::ServerError;
pub use nats::{Nats, NatsBuilder, NatsConnection, NatsStatistics};
pub use pgbouncer::PgBouncer;
pub use postgres::{Database, Postgres, PostgresBuilder};
pub use proxy::{Direction, TcpProxy};
pub use redis::{Redis, RedisBuilder, RedisCluster};
