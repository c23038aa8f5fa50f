//! The real server as a process of its own, driven over real sockets.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod bad_input;
mod chatting;
mod entering;
mod http;
mod kill;
mod limits;
mod nodes;
mod person;
mod server;

use std::time::Duration;

/// How long anything may take. Tests wait for events, so only a failing one takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits, but not for ever.
async fn soon<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(done) => done,
        Err(_) => panic!("{what} did not happen in time"),
    }
}
