use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat_proto::UserId;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::{Limit, LimitKey, Quota, RateLimiter, SharedLimits, Verdict};
use crate::router::causes;
use crate::sharded::lock;
use crate::store::StoreError;

/// How long all nodes' count may take: nobody waits long for a limit.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long this node counts alone after that did not work.
const ALONE: Duration = Duration::from_secs(2);

/// What all limits of an engine share.
#[derive(Debug)]
pub(crate) struct Counting {
    shared: Option<Arc<dyn SharedLimits>>,
    /// Until when this node counts alone. Held for a line.
    alone_until: Mutex<Option<Instant>>,
    /// Events that this node had to count alone.
    fallbacks: AtomicU64,
}

/// A limit that all nodes count together, as far as they can: this node's own count stands beside it,
/// so that each node keeps to the limit even when nothing can be shared.
#[derive(Debug)]
pub(crate) struct CountedLimit {
    limit: Limit,
    quota: Option<Quota>,
    here: RateLimiter<UserId>,
    counting: Arc<Counting>,
}

/// What is known of an event at once.
pub(crate) enum Counted {
    /// It may happen.
    Allowed,
    /// All nodes' count has yet to be asked: whether it may, or for how long it must wait.
    Asking(BoxFuture<'static, Result<(), Duration>>),
}

impl Counting {
    pub(crate) fn new(shared: Option<Arc<dyn SharedLimits>>) -> Self {
        Self { shared, alone_until: Mutex::new(None), fallbacks: AtomicU64::new(0) }
    }

    /// Events that this node had to count alone, because the shared count did not answer.
    pub(crate) fn fallbacks(&self) -> u64 {
        self.fallbacks.load(Ordering::Relaxed)
    }

    async fn ask(&self, shared: &dyn SharedLimits, key: &LimitKey, quota: &Quota) -> Verdict {
        let now = Instant::now();
        if lock(&self.alone_until).is_some_and(|until| now < until) {
            self.fallbacks.fetch_add(1, Ordering::Relaxed);
            return Verdict::Allowed;
        }
        let counted = tokio::time::timeout(PATIENCE, shared.count(key, quota)).await;
        let counted = counted.unwrap_or_else(|late| Err(StoreError::unavailable(late)));
        let mut alone_until = lock(&self.alone_until);
        match counted {
            Ok(verdict) => {
                if alone_until.take().is_some() {
                    tracing::info!("limits are counted by all nodes together again");
                }
                verdict
            }
            Err(error) => {
                self.fallbacks.fetch_add(1, Ordering::Relaxed);
                if alone_until.replace(Instant::now() + ALONE).is_none() {
                    let error = causes(&error);
                    tracing::warn!(error, "limits are counted by this node alone for the moment");
                }
                Verdict::Allowed
            }
        }
    }
}

impl CountedLimit {
    /// Allows `events` in each `period`, and `burst` at once. Zero `events` mean no limit.
    pub(crate) fn new(
        limit: Limit,
        events: u32,
        period: Duration,
        burst: u32,
        counting: Arc<Counting>,
    ) -> Self {
        let quota = NonZeroU32::new(events).map(|events| Quota::new(events, period, burst));
        Self { limit, quota, here: RateLimiter::new(quota), counting }
    }

    /// Counts one event of a user.
    ///
    /// # Errors
    ///
    /// How long the user has to wait.
    pub(crate) fn count(&self, user: &UserId) -> Result<Counted, Duration> {
        self.here.check(user, Instant::now())?;
        let (Some(quota), Some(shared)) = (self.quota, &self.counting.shared) else {
            return Ok(Counted::Allowed);
        };
        let key = LimitKey { limit: self.limit, user: user.clone() };
        let (shared, counting) = (Arc::clone(shared), Arc::clone(&self.counting));
        let asking = async move {
            match counting.ask(&*shared, &key, &quota).await {
                Verdict::Allowed => Ok(()),
                Verdict::Wait(wait) => Err(wait),
            }
        };
        Ok(Counted::Asking(asking.boxed()))
    }

    /// The same, and waits for the answer.
    ///
    /// # Errors
    ///
    /// How long the user has to wait.
    pub(crate) async fn check(&self, user: &UserId) -> Result<(), Duration> {
        match self.count(user)? {
            Counted::Allowed => Ok(()),
            Counted::Asking(asking) => asking.await,
        }
    }
}
