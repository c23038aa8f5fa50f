use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgRow;
use tokio::time::timeout;

use super::server::Server;
use super::statement::Statement;
use crate::failure::Failure;

/// How long a replica that did not answer is left alone.
const PAUSE: Duration = Duration::from_secs(10);

/// How long a replica may take to answer, before the primary is asked instead.
const PATIENCE: Duration = Duration::from_secs(1);

/// A server that follows the primary, perhaps at a distance. It is asked what may be a little old,
/// and never the only one to know.
#[derive(Debug, Clone)]
pub(super) struct Replica {
    server: Server,
    patience: Duration,
    /// Until when it is left alone. Held for no longer than it takes to read or set it.
    avoided_until: Arc<Mutex<Option<Instant>>>,
}

impl Replica {
    /// A replica that leaves half the time of a call for the primary.
    pub(super) fn new(server: Server, call_timeout: Duration) -> Self {
        let patience = PATIENCE.min(call_timeout / 2);
        Self { server, patience, avoided_until: Arc::default() }
    }

    /// What the replica has to say; nothing when it does not answer, nor for a while after that.
    pub(super) async fn rows(&self, statement: Statement) -> Option<Vec<PgRow>> {
        if self.avoided().is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let answer = timeout(self.patience, self.server.rows_once(statement)).await;
        match answer.unwrap_or(Err(Failure::TimedOut)) {
            Ok(rows) => Some(rows),
            Err(error) => {
                let pause = PAUSE.as_secs();
                tracing::warn!(%error, "the replica does not answer; it is left alone for {pause} s");
                *self.avoided_until.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Instant::now() + PAUSE);
                None
            }
        }
    }

    pub(super) async fn close(&self) {
        self.server.close().await;
    }

    fn avoided(&self) -> Option<Instant> {
        *self.avoided_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
