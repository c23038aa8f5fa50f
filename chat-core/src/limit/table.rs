use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use super::{NextFree, Quota};
use crate::sharded::Sharded;

/// A table of limits, one for each key that was active lately.
#[derive(Debug)]
pub(crate) struct RateLimiter<K> {
    quota: Option<Quota>,
    keys: Sharded<K, NextFree>,
}

/// Keys in one part of the table from which on idle ones are forgotten.
const PRUNE_AT: usize = 1_024;

impl<K: Hash + Eq + Clone> RateLimiter<K> {
    /// None means no limit.
    pub(crate) fn new(quota: Option<Quota>) -> Self {
        Self { quota, keys: Sharded::new() }
    }

    /// Counts one event of a key.
    ///
    /// # Errors
    ///
    /// How long the key has to wait.
    pub(crate) fn check(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let Some(quota) = self.quota else { return Ok(()) };
        let mut keys = self.keys.lock(key);
        if keys.len() >= PRUNE_AT {
            // A key whose moment has passed is as good as unknown.
            keys.retain(|_, free| !free.has_passed(now));
        }
        let next = quota.check(keys.get(key).copied(), now)?;
        keys.insert(key.clone(), next);
        Ok(())
    }
}
