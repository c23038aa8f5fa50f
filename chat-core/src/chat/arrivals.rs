//! Who is here goes before who comes.
//!
//! When a server restarts, thousands come back in one second, and each takes as much work as several
//! messages. Only so many arrive at once, and the others wait in line. While messages are being stored
//! there are fewer, and each is followed by a rest as long as itself, so that those who are here
//! already keep their part of the server.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::error::ChatError;

/// How many devices are greeted at once: enough for calls of the store to be shared. Who is greeted is
/// told without a further turn what was missed, since what is live waits for that.
const AT_ONCE: usize = 64;
/// As how many an arrival counts while messages are being stored.
const WEIGHT: u32 = 8;
/// The longest rest.
const REST: Duration = Duration::from_millis(100);
/// How long somebody waits in line before being asked to come back later: less than transports give
/// for the whole of an arrival.
const PATIENCE: Duration = Duration::from_secs(4);

/// The line of those who arrive.
#[derive(Debug)]
pub(super) struct Arrivals(Arc<Semaphore>);

/// The turn of one of them. Dropping it ends the turn.
#[derive(Debug)]
pub(crate) struct Arrival {
    _turn: OwnedSemaphorePermit,
    began: Instant,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Arrivals {
    /// Waits for the next turn.
    pub(super) async fn next(&self, busy: bool) -> Result<Arrival, ChatError> {
        let waiting = Arc::clone(&self.0).acquire_many_owned(if busy { WEIGHT } else { 1 });
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(Ok(turn)) => Ok(Arrival { _turn: turn, began: Instant::now() }),
            Ok(Err(_)) | Err(_) => Err(ChatError::Busy),
        }
    }
}

impl Arrival {
    /// Ends the turn as long after the arrival as that took.
    pub(super) async fn rest(self) {
        tokio::time::sleep(self.began.elapsed().min(REST)).await;
    }
}
