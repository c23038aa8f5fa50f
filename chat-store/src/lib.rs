#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may"))]

mod append;
mod changes;
mod columns;
mod cursor;
mod failure;
mod migration;
mod open_error;
mod postgres;
mod probe;
mod record;
mod rekey;
mod sqlite;
mod statement_log;
mod value;

pub use migration::PendingMigration;
pub use open_error::OpenError;
pub use postgres::{PostgresConfig, PostgresStore};
pub use sqlite::SqliteStore;
