//! Whether this node can do what it is there for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Chat;
use crate::error::ChatError;
use crate::router::causes;
use crate::sharded::lock;
use crate::store::{ProbeStore, StoreError};
use crate::tasks::Tasks;
use crate::within::within;

/// How long an answer holds, so that whoever asks often makes the store write seldom.
const FRESH: Duration = Duration::from_secs(1);

/// Something that has to work for a node to be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// A mark is written to the store and read back.
    Store,
}

impl Check {
    /// What operators call it: `store`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
        }
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a node is not ready, in words for an operator. The causes are in `source`, in the words of
/// the store: its address may be among them, a password is not, unless the store puts it there.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// The node is shutting down.
    #[error("draining: this node takes no new sessions")]
    Draining,
    /// A check failed.
    #[error("{check}: the probe failed")]
    Failed {
        /// Which.
        check: Check,
        /// Why.
        #[source]
        cause: Arc<StoreError>,
    },
    /// A check was not answered in time.
    #[error("{check}: no answer to the probe after {} ms", after.as_millis())]
    TimedOut {
        /// Which.
        check: Check,
        /// How long was waited.
        after: Duration,
    },
}

impl NotReady {
    /// The same with its causes, on one line.
    #[must_use]
    pub fn reason(&self) -> String {
        causes(self)
    }
}

/// What came of a probe.
type Answer = Result<(), NotReady>;
/// A probe: what came of it and when, once that is known.
type Probing = watch::Receiver<Option<(Instant, Answer)>>;

/// Asks once for all who want to know.
#[derive(Debug)]
pub(super) struct Readiness {
    probe: Arc<dyn ProbeStore>,
    /// The latest probe. Held for a few lines.
    latest: Mutex<Option<Probing>>,
}

impl Readiness {
    pub(super) const fn new(probe: Arc<dyn ProbeStore>) -> Self {
        Self { probe, latest: Mutex::new(None) }
    }

    /// What came of the probe under way, or of the last one if that was just now, or of a new one.
    /// A new one goes on if nobody waits for it any more: it is no less worth knowing.
    async fn ask(&self, tasks: &Tasks, limit: Duration) -> Answer {
        let mut latest = self.latest_or_new(tasks, limit);
        let answer = latest.wait_for(Option::is_some).await.ok();
        match answer.and_then(|answer| answer.clone()) {
            Some((_, answer)) => answer,
            None => {
                let cause = Arc::new(StoreError::failed("the probe panicked"));
                Err(NotReady::Failed { check: Check::Store, cause })
            }
        }
    }

    fn latest_or_new(&self, tasks: &Tasks, limit: Duration) -> Probing {
        let mut latest = lock(&self.latest);
        if let Some(known) = &*latest {
            let is_of_use = match &*known.borrow() {
                Some((at, _)) => at.elapsed() < FRESH,
                None => known.has_changed().is_ok(),
            };
            if is_of_use {
                return known.clone();
            }
        }
        let (told, answer) = watch::channel(None);
        let probe = Arc::clone(&self.probe);
        tasks.spawn("ready", async move {
            let answer = match within(limit, probe.probe()).await {
                Ok(()) => Ok(()),
                Err(ChatError::Store(cause)) => {
                    Err(NotReady::Failed { check: Check::Store, cause: Arc::new(cause) })
                }
                Err(_) => Err(NotReady::TimedOut { check: Check::Store, after: limit }),
            };
            told.send_replace(Some((Instant::now(), answer)));
        });
        *latest = Some(answer.clone());
        answer
    }
}

impl Chat {
    /// Whether this node can serve: it does not drain, and a probe has gone through the store, by
    /// a write and a read.
    ///
    /// Ask as often as you like: callers at once share a probe, and an answer holds for a second.
    /// A deadline longer than `call_timeout_ms` is of no use, since a probe takes no longer.
    ///
    /// # Errors
    ///
    /// Why it cannot serve, at the latest after `deadline`.
    pub async fn ready(&self, deadline: Duration) -> Result<(), NotReady> {
        if self.is_draining() {
            return Err(NotReady::Draining);
        }
        let limit = self.engine.config.call_timeout();
        let asking = self.engine.readiness.ask(&self.engine.tasks, limit);
        match tokio::time::timeout(deadline, asking).await {
            Ok(answer) => answer,
            Err(_) => Err(NotReady::TimedOut { check: Check::Store, after: deadline }),
        }
    }
}
