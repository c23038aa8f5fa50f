#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may"))]

mod controls;
mod error;
mod pgbouncer;
mod port;
mod postgres;
mod process;
mod program;
mod server;
mod user;

pub use error::ServerError;
pub use pgbouncer::PgBouncer;
pub use postgres::{Database, Postgres, PostgresBuilder};
