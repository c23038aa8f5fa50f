use std::time::{Duration, Instant};

use super::bounded::BoundedMap;
use super::{ThrottleConfig, Wait};

/// How long a failure is remembered.
const MEMORY: Duration = Duration::from_secs(15 * 60);

/// Failures of each account, and the wait that follows from them.
#[derive(Debug)]
pub(super) struct AccountLimit {
    records: BoundedMap<String, Failures>,
    free: u32,
    first_delay: Duration,
    max_delay: Duration,
}

#[derive(Debug, Default)]
struct Failures {
    count: u32,
    next_try_at: Option<Instant>,
}

impl AccountLimit {
    pub(super) fn new(config: &ThrottleConfig) -> Self {
        Self {
            records: BoundedMap::new(config.capacity, MEMORY),
            free: config.failures,
            first_delay: config.failure_delay,
            max_delay: config.max_failure_delay,
        }
    }

    /// Lets a try through and counts it as failed, or says how long to wait. What has to wait is
    /// not counted, so that waits do not grow by impatience.
    pub(super) fn admit(&mut self, account: &str, now: Instant) -> Result<(), Wait> {
        let next_try_at = self.records.get_mut(account).and_then(|failures| failures.next_try_at);
        if let Some(next_try_at) = next_try_at.filter(|&at| at > now) {
            return Err(Wait(next_try_at - now));
        }
        let failures = self.records.entry(account.to_owned(), now, Failures::default);
        failures.count = failures.count.saturating_add(1);
        failures.next_try_at = failures.count.checked_sub(self.free).map(|beyond| {
            let delay = self.first_delay.saturating_mul(2_u32.saturating_pow(beyond));
            now + delay.min(self.max_delay)
        });
        Ok(())
    }

    /// Forgets the account's failures.
    pub(super) fn clear(&mut self, account: &str) {
        self.records.remove(account);
    }

    /// Takes the last try back.
    pub(super) fn forgive(&mut self, account: &str) {
        if let Some(failures) = self.records.get_mut(account) {
            failures.count = failures.count.saturating_sub(1);
            failures.next_try_at = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> AccountLimit {
        AccountLimit::new(&ThrottleConfig::default())
    }

    fn wait(seconds: u64) -> Result<(), Wait> {
        Err(Wait(Duration::from_secs(seconds)))
    }

    #[test]
    fn waits_grow_with_failures_and_stay_bounded() {
        let (mut limit, mut now) = (limit(), Instant::now());
        for _ in 0..5 {
            assert_eq!(limit.admit("ada", now), Ok(()));
        }
        for seconds in [12, 24, 48, 60, 60, 60] {
            assert_eq!(limit.admit("ada", now), wait(seconds));
            now += Duration::from_secs(seconds - 1);
            assert_eq!(limit.admit("ada", now), wait(1), "asking again changes nothing");
            now += Duration::from_secs(1);
            assert_eq!(limit.admit("ada", now), Ok(()), "never locked");
        }
        for _ in 0..1_000 {
            now += Duration::from_secs(60);
            assert_eq!(limit.admit("ada", now), Ok(()));
        }
    }

    #[test]
    fn one_account_does_not_wait_for_another() {
        let (mut limit, now) = (limit(), Instant::now());
        for _ in 0..5 {
            assert_eq!(limit.admit("ada", now), Ok(()));
        }
        assert!(limit.admit("ada", now).is_err());
        assert_eq!(limit.admit("ben", now), Ok(()));
    }

    #[test]
    fn a_good_login_and_a_quiet_time_end_the_waits() {
        let (mut limit, mut now) = (limit(), Instant::now());
        for _ in 0..5 {
            assert_eq!(limit.admit("ada", now), Ok(()));
        }
        limit.clear("ada");
        for _ in 0..5 {
            assert_eq!(limit.admit("ada", now), Ok(()));
        }
        now += MEMORY;
        for _ in 0..5 {
            assert_eq!(limit.admit("ada", now), Ok(()));
        }
        assert_eq!(limit.admit("ada", now), wait(12));
    }

    #[test]
    fn a_try_that_was_none_does_not_count() {
        let (mut limit, now) = (limit(), Instant::now());
        for _ in 0..100 {
            assert_eq!(limit.admit("ada", now), Ok(()));
            limit.forgive("ada");
        }
        for _ in 0..5 {
            assert_eq!(limit.admit("ada", now), Ok(()));
        }
        assert_eq!(limit.admit("ada", now), wait(12));
    }
}
