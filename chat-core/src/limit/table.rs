use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use super::{NextFree, Quota};
use crate::sharded::Sharded;

/// A table of limits, one for each key that was active lately.
///
/// What is kept of a key is one moment, and is forgotten some time after that has passed.
#[derive(Debug)]
pub struct RateLimiter<K> {
    quota: Option<Quota>,
    keys: Sharded<K, NextFree>,
}

/// Keys in one part of the table from which on idle ones are forgotten.
const PRUNE_AT: usize = 1_024;

impl<K: Hash + Eq + Clone> RateLimiter<K> {
    /// A table for this quota. None means no limit.
    #[must_use]
    pub fn new(quota: Option<Quota>) -> Self {
        Self { quota, keys: Sharded::new() }
    }

    /// Counts one event of a key.
    ///
    /// # Errors
    ///
    /// How long the key has to wait.
    pub fn check(&self, key: &K, now: Instant) -> Result<(), Duration> {
        self.check_cost(key, 1, now)
    }

    /// Counts an event of a key that counts as `cost` of them: all or nothing.
    ///
    /// # Errors
    ///
    /// How long the key has to wait.
    pub fn check_cost(&self, key: &K, cost: u32, now: Instant) -> Result<(), Duration> {
        let Some(quota) = self.quota else { return Ok(()) };
        let mut keys = self.keys.lock(key);
        if keys.len() >= PRUNE_AT {
            // A key whose moment has passed is as good as unknown.
            keys.retain(|_, free| !free.has_passed(now));
        }
        let next = quota.check_cost(keys.get(key).copied(), cost, now)?;
        keys.insert(key.clone(), next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    /// More keys than the table keeps of idle ones.
    const MANY: u32 = 70_000;

    #[test]
    fn idle_keys_are_forgotten_and_those_that_have_to_wait_are_not() {
        let period = Duration::from_secs(1);
        let limiter = RateLimiter::new(Some(Quota::new(NonZeroU32::MIN, period, 1)));
        let begun = Instant::now();
        for key in 0..MANY {
            assert_eq!(limiter.check(&key, begun), Ok(()));
        }
        for key in (0..MANY).step_by(1_000) {
            assert_eq!(limiter.check(&key, begun), Err(period), "it has to wait");
        }
        for key in MANY..MANY * 3 / 2 {
            assert_eq!(limiter.check(&key, begun + period), Ok(()));
        }
        let mut parts = Vec::new();
        limiter.keys.for_each_shard(|keys| parts.push(keys.len()));
        assert!(parts.iter().all(|keys| *keys <= PRUNE_AT), "{parts:?}");
    }
}
