//! Rate limits: a pure rule, and a bounded table that applies it to many keys.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

use crate::sharded::Sharded;

/// So many at once, and so many over time: the generic cell rate algorithm (ITU-T I.371).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Time that one event uses up.
    interval: Duration,
    /// Time that may be used up in advance.
    tolerance: Duration,
}

/// When a key may act next. The whole state of a limit: one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextFree(Instant);

impl Quota {
    /// Allows `events` in each `period` over time, and `burst` (at least 1) at once.
    #[must_use]
    pub fn new(events: NonZeroU32, period: Duration, burst: u32) -> Self {
        let interval = period / events.get();
        Self { interval, tolerance: interval * burst.saturating_sub(1) }
    }

    /// Decides on one event at `now`.
    ///
    /// # Errors
    ///
    /// How long to wait, when there were too many.
    pub fn check(&self, state: Option<NextFree>, now: Instant) -> Result<NextFree, Duration> {
        let free = state.map_or(now, |NextFree(at)| at.max(now));
        let earliest = free.checked_sub(self.tolerance).unwrap_or(now);
        if earliest > now { Err(earliest - now) } else { Ok(NextFree(free + self.interval)) }
    }
}

/// A table of limits, one for each key that was active lately.
#[derive(Debug)]
pub(crate) struct RateLimiter<K> {
    quota: Option<Quota>,
    keys: Sharded<K, NextFree>,
}

/// Keys in one part of the table from which on idle ones are forgotten.
const PRUNE_AT: usize = 1_024;

impl<K: Hash + Eq + Clone> RateLimiter<K> {
    /// Zero `events` mean no limit.
    pub(crate) fn new(events: u32, period: Duration, burst: u32) -> Self {
        let quota = NonZeroU32::new(events).map(|events| Quota::new(events, period, burst));
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
            keys.retain(|_, NextFree(at)| *at > now);
        }
        let next = quota.check(keys.get(key).copied(), now)?;
        keys.insert(key.clone(), next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quota(events: u32, burst: u32) -> Quota {
        Quota::new(NonZeroU32::new(events).unwrap(), Duration::from_secs(1), burst)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let quota = quota(10, 3);
        let now = Instant::now();
        let mut state = None;
        for _ in 0..3 {
            state = Some(quota.check(state, now).unwrap());
        }
        assert_eq!(quota.check(state, now), Err(Duration::from_millis(100)));
        assert!(quota.check(state, now + Duration::from_millis(100)).is_ok());
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate(gaps in prop::collection::vec(0u64..300, 1..200)) {
            let quota = quota(10, 5);
            let start = Instant::now();
            let (mut now, mut state, mut passed) = (start, None, 0u64);
            for gap in gaps {
                now += Duration::from_millis(gap);
                match quota.check(state, now) {
                    Ok(next) => { state = Some(next); passed += 1; }
                    Err(wait) => prop_assert!(quota.check(state, now + wait).is_ok()),
                }
                let elapsed = (now - start).as_millis() as u64;
                prop_assert!(passed <= 5 + elapsed / 100);
            }
        }
    }
}
