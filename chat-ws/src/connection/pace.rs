use std::time::Duration;

use tokio::time::Instant;

/// How many frames a peer may send: a bucket of tokens, one a frame, refilled at a steady rate.
///
/// Frames are charged after they came, so the bucket can be overdrawn; reading then waits until
/// the debt is paid, and TCP makes the peer wait with it.
#[derive(Debug)]
pub(super) struct Pace {
    /// The time in which one token comes in.
    interval: Duration,
    /// How far ahead `full_at` may be while there still is a token.
    slack: Duration,
    /// When the bucket will be full again.
    full_at: Instant,
}

impl Pace {
    /// `rate` frames each second over time, and `burst` at once; both count as at least one.
    pub(super) fn new(rate: u32, burst: u32, now: Instant) -> Self {
        let interval = Duration::from_secs(1) / rate.max(1);
        Self { interval, slack: interval.saturating_mul(burst.max(1) - 1), full_at: now }
    }

    /// Charges so many frames.
    pub(super) fn spend(&mut self, frames: u64, now: Instant) {
        let frames = u32::try_from(frames).unwrap_or(u32::MAX);
        self.full_at = self.full_at.max(now) + self.interval.saturating_mul(frames);
    }

    /// Until when nothing may be read; none when a token is there.
    pub(super) fn blocked_until(&self, now: Instant) -> Option<Instant> {
        let missing = self.full_at.saturating_duration_since(now);
        (missing > self.slack).then(|| now + (missing - self.slack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut pace = Pace::new(100, 200, start);
        pace.spend(199, start);
        assert_eq!(pace.blocked_until(start), None);
        pace.spend(1, start);
        let next = start + Duration::from_millis(10);
        assert_eq!(pace.blocked_until(start), Some(next));
        assert_eq!(pace.blocked_until(next), None);
        pace.spend(101, next);
        assert_eq!(pace.blocked_until(next), Some(next + Duration::from_millis(1_010)));
        let later = start + Duration::from_secs(60);
        pace.spend(199, later);
        assert_eq!(pace.blocked_until(later), None);
    }

    #[test]
    fn the_highest_rate_is_none_at_all() {
        let start = Instant::now();
        let mut pace = Pace::new(u32::MAX, u32::MAX, start);
        pace.spend(u64::MAX, start);
        assert_eq!(pace.blocked_until(start), None);
    }
}
