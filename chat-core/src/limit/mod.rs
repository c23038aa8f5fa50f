//! Rate limits: a pure rule, a bounded table that applies it to many keys, and the trait by which
//! nodes share them.

mod budgets;
mod counted;
mod shared;
mod subscriber;
mod table;
mod turns;

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use budgets::Budgets;
pub(crate) use counted::{Counted, CountedLimit, Counting};
#[cfg(feature = "testing")]
pub use shared::MockSharedLimits;
pub use shared::{Limit, LimitKey, SharedLimits, Verdict};
pub use subscriber::subscriber;
pub use table::RateLimiter;
pub(crate) use turns::{Kind, Turn, Turns};

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

impl NextFree {
    /// That of a key that is free from a moment on.
    pub(crate) const fn at(moment: Instant) -> Self {
        Self(moment)
    }

    /// Whether it lies in the past: a key with such a moment is as good as unknown.
    pub(crate) fn has_passed(self, now: Instant) -> bool {
        self.0 <= now
    }
}

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
        let ahead = state.map_or(Duration::ZERO, |NextFree(at)| at.saturating_duration_since(now));
        self.check_ahead(ahead).map(|ahead| NextFree(now + ahead))
    }

    /// Decides on an event at `now` that counts as `cost` of them: all or nothing. One that counts
    /// as more than the burst is taken to count as the burst, so that it is never refused for ever.
    ///
    /// # Errors
    ///
    /// How long to wait until it fits.
    pub fn check_cost(
        &self,
        state: Option<NextFree>,
        cost: u32,
        now: Instant,
    ) -> Result<NextFree, Duration> {
        let ahead = state.map_or(Duration::ZERO, |NextFree(at)| at.saturating_duration_since(now));
        // The last of the events takes place as far ahead as the others have brought it.
        let others = self.interval.saturating_mul(cost.saturating_sub(1)).min(self.tolerance);
        let next = self.check_ahead(ahead + others)?;
        Ok(NextFree(now + if cost == 0 { ahead } else { next }))
    }

    /// The same for those who keep the moment in another form: decides on one event of a key whose
    /// next free moment is `ahead` of now, or has passed if that is zero. Returns how far ahead it
    /// then is.
    ///
    /// # Errors
    ///
    /// How long to wait, when there were too many.
    pub fn check_ahead(&self, ahead: Duration) -> Result<Duration, Duration> {
        match ahead.checked_sub(self.tolerance) {
            Some(wait) if wait > Duration::ZERO => Err(wait),
            _ => Ok(ahead + self.interval),
        }
    }

    /// The time that one event uses up.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// The time that may be used up in advance: a key is never further ahead than this and one
    /// interval.
    #[must_use]
    pub const fn tolerance(&self) -> Duration {
        self.tolerance
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

    #[test]
    fn a_cost_fits_whole_or_waits_until_it_does() {
        let quota = quota(10, 30);
        let now = Instant::now();
        let state = Some(quota.check_cost(None, 25, now).unwrap());
        let wait = quota.check_cost(state, 10, now).unwrap_err();
        assert_eq!(wait, Duration::from_millis(500));
        assert!(quota.check_cost(state, 5, now).is_ok());
        assert!(quota.check_cost(state, 10, now + wait).is_ok());
        assert!(quota.check_cost(None, 1_000_000, now).is_ok(), "more than ever fits");
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
