use std::hash::Hash;
use std::time::{Duration, Instant};

use super::Wait;
use super::bounded::BoundedMap;

const MINUTE: Duration = Duration::from_secs(60);

/// Tries of each source, evened out over a minute: all of a minute's may be made at once, and come
/// back one by one.
#[derive(Debug)]
pub(super) struct RateLimit<K> {
    /// For each source, when all of its tries will have come back (the "theoretical arrival time"
    /// of the generic cell rate algorithm).
    full_at: BoundedMap<K, Instant>,
    /// How long it takes until one try comes back.
    interval: Duration,
}

impl<K: Eq + Hash + Clone> RateLimit<K> {
    /// Allows this many tries a minute, and remembers at most `capacity` sources.
    pub(super) fn new(per_minute: u32, capacity: usize) -> Self {
        Self { full_at: BoundedMap::new(capacity, MINUTE), interval: MINUTE / per_minute.max(1) }
    }

    /// Lets a try through and counts it, or says how long to wait.
    pub(super) fn admit(&mut self, source: K, now: Instant) -> Result<(), Wait> {
        let full_at = self.full_at.get(&source, now).copied().unwrap_or(now);
        let next = full_at.max(now) + self.interval;
        if let Some(early) = next.checked_duration_since(now + MINUTE).filter(|e| !e.is_zero()) {
            return Err(Wait(early));
        }
        self.full_at.insert(source, next, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_tries_a_minute_come_back_one_by_one() {
        let (mut limit, mut now) = (RateLimit::new(10, 100), Instant::now());
        for _ in 0..10 {
            assert_eq!(limit.admit("ada", now), Ok(()));
        }
        for _ in 0..3 {
            assert_eq!(limit.admit("ada", now), Err(Wait(Duration::from_secs(6))));
            now += Duration::from_secs(6);
            assert_eq!(limit.admit("ada", now), Ok(()));
        }
        assert_eq!(limit.admit("ben", now), Ok(()), "another source");
    }
}
