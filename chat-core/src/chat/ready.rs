//! Whether this node can do what it is there for.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Chat;
use crate::broker::Broker;
use crate::error::ChatError;
use crate::router::causes;
use crate::sharded::lock;
use crate::store::ProbeStore;
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
    /// A message goes through the broker and comes back; only where there is one.
    Broker,
}

impl Check {
    /// What operators call it: `store`, `broker`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Broker => "broker",
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
        cause: Arc<dyn Error + Send + Sync>,
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

/// What has come of a look at everything so far.
#[derive(Debug, Clone, Default)]
struct Progress {
    store: Option<Answer>,
    broker: Option<Answer>,
    /// When all was known.
    done: Option<Instant>,
}

impl Progress {
    /// What is known for certain: that all works, or that something does not.
    fn answer(&self) -> Option<Answer> {
        match (&self.store, &self.broker) {
            (Some(Err(error)), _) | (_, Some(Err(error))) => Some(Err(error.clone())),
            (Some(Ok(())), Some(Ok(()))) => Some(Ok(())),
            _ => None,
        }
    }

    /// What is still waited for.
    fn waits_for(&self) -> Check {
        if self.store.is_none() { Check::Store } else { Check::Broker }
    }
}

/// Asks once for all who want to know.
#[derive(Debug)]
pub(super) struct Readiness {
    store: Arc<dyn ProbeStore>,
    broker: Option<Arc<dyn Broker>>,
    /// The latest look. Held for a few lines.
    latest: Mutex<Option<watch::Receiver<Progress>>>,
}

impl Readiness {
    pub(super) const fn new(store: Arc<dyn ProbeStore>, broker: Option<Arc<dyn Broker>>) -> Self {
        Self { store, broker, latest: Mutex::new(None) }
    }

    /// What comes of the look under way, or of the last one if that was just now, or of a new one,
    /// until `deadline`. A new one goes on if nobody waits for it any more: it is no less worth
    /// knowing. Each of its probes may take so long as `limit`.
    async fn ask(&self, tasks: &Tasks, limit: Duration, deadline: Duration) -> Answer {
        let mut latest = self.latest_or_new(tasks, limit);
        let waiting = latest.wait_for(|progress| progress.answer().is_some());
        let ended = match tokio::time::timeout(deadline, waiting).await {
            Ok(outcome) => outcome.is_err(),
            Err(_) => false,
        };
        let progress = latest.borrow().clone();
        let check = progress.waits_for();
        match progress.answer() {
            Some(answer) => answer,
            None if ended => {
                let cause: Box<dyn Error + Send + Sync> = "the probe panicked".into();
                Err(NotReady::Failed { check, cause: cause.into() })
            }
            None => Err(NotReady::TimedOut { check, after: deadline }),
        }
    }

    fn latest_or_new(&self, tasks: &Tasks, limit: Duration) -> watch::Receiver<Progress> {
        let mut latest = lock(&self.latest);
        if let Some(known) = &*latest {
            let is_of_use = match known.borrow().done {
                Some(at) => at.elapsed() < FRESH,
                None => known.has_changed().is_ok(),
            };
            if is_of_use {
                return known.clone();
            }
        }
        let (told, progress) = watch::channel(Progress::default());
        let (store, broker) = (Arc::clone(&self.store), self.broker.clone());
        tasks.spawn("ready", async move {
            let stored = async {
                let answer = ask_store(&*store, limit).await;
                told.send_modify(|progress| progress.store = Some(answer));
            };
            let brokered = async {
                let answer = ask_broker(broker, limit).await;
                told.send_modify(|progress| progress.broker = Some(answer));
            };
            futures::future::join(stored, brokered).await;
            told.send_modify(|progress| progress.done = Some(Instant::now()));
        });
        *latest = Some(progress.clone());
        progress
    }
}

async fn ask_store(store: &dyn ProbeStore, limit: Duration) -> Answer {
    match within(limit, store.probe()).await {
        Ok(()) => Ok(()),
        Err(ChatError::Store(cause)) => {
            Err(NotReady::Failed { check: Check::Store, cause: Arc::new(cause) })
        }
        Err(_) => Err(NotReady::TimedOut { check: Check::Store, after: limit }),
    }
}

async fn ask_broker(broker: Option<Arc<dyn Broker>>, limit: Duration) -> Answer {
    let Some(broker) = broker else { return Ok(()) };
    match tokio::time::timeout(limit, broker.probe()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(cause)) => Err(NotReady::Failed { check: Check::Broker, cause: Arc::new(cause) }),
        Err(_) => Err(NotReady::TimedOut { check: Check::Broker, after: limit }),
    }
}

impl Chat {
    /// Whether this node can serve: it does not drain, a probe has gone through the store, by a write
    /// and a read, and, where there is a broker, another has gone through that and come back.
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
        let readiness = &self.engine.readiness;
        readiness.ask(&self.engine.tasks, limit, deadline).await
    }
}
