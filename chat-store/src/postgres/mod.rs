//! The store in Postgres, one file for each aggregate.

mod account;
mod append;
mod changes;
mod cluster;
mod config;
mod conversation;
mod cursor;
mod error;
mod inbox;
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
mod replica;
mod retry;
mod server;
mod session;
mod statement;
mod url;
mod user;
mod visit;

use std::time::Duration;

pub use self::config::PostgresConfig;
pub(crate) use self::error::remedy;
use self::replica::Replica;
use self::server::Server;

/// How much longer this side waits than it has told the server to work.
const MARGIN: Duration = Duration::from_secs(2);
/// How long a connection that is given back, or tested, may take to answer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A store in a Postgres database, which several nodes may share.
///
/// A write returns once the server has committed it durably; one that breaks off is tried again
/// where that is safe. Cloning is cheap, and clones share the connections.
///
/// Every call is safe to cancel: what has begun goes on to its end without its caller, within a
/// time limit. No call waits for ever for a server that does not answer.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    primary: Server,
    replica: Option<Replica>,
}

impl PostgresStore {
    /// Closes the connections, after what is under way.
    pub async fn close(&self) {
        if let Some(replica) = &self.replica {
            replica.close().await;
        }
        self.primary.close().await;
    }
}
