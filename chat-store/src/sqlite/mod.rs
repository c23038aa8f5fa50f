//! The store in SQLite, one file for each aggregate.

mod account;
mod activity;
mod append;
mod changes;
mod conversation;
mod cursor;
mod error;
mod hex;
mod inbox;
mod json_row;
mod keys;
mod login;
mod member;
mod message;
mod migration;
mod missed;
mod open;
#[cfg(test)]
mod plan;
mod probe;
mod schema;
mod user;
mod visit;
mod writer;

use sqlx::SqlitePool;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::Sqlite;

use self::activity::Activity;
pub(crate) use self::error::remedy;
use self::writer::Writer;
use crate::failure::Failure;

/// A store in one SQLite database.
///
/// It writes through one connection and reads through others, which never wait for it
/// (write-ahead log). A write returns once it is on the disk (`synchronous = FULL`). Cloning is
/// cheap, and clones share the connections.
///
/// Every call is safe to cancel: a write that has begun goes on to its end without its caller, so
/// the next one never finds a transaction left open.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: Writer,
    readers: SqlitePool,
    activity: Activity,
}

impl SqliteStore {
    /// Closes the connections, after what is under way, and merges the write-ahead log into the
    /// database file. Without this, the next start does that.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A connection for reading. What was written before is seen.
    async fn reader(&self) -> Result<PoolConnection<Sqlite>, Failure> {
        Ok(self.readers.acquire().await?)
    }
}
