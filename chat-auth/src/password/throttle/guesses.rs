use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::bounded::BoundedMap;
use super::{ThrottleConfig, Wait};
use crate::password::device::DeviceId;

/// How long a failure is remembered.
const MEMORY: Duration = Duration::from_secs(15 * 60);
/// The most tries of one allowance that wait for the outcome of others.
const MAX_UNDECIDED: usize = 64;
/// When a try may be made again for which there was no room among those who wait.
const CROWDED_WAIT: Duration = Duration::from_secs(1);

/// Whose failures are counted together. Each allowance has failures and waits of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::password) enum Allowance {
    /// Of one account, everybody of whom nothing is known.
    Anybody(Arc<str>),
    /// Of one account, an address that has logged in before.
    Address(Arc<str>, IpAddr),
    /// Of one account, a device that has logged in before.
    Device(Arc<str>, DeviceId),
    /// Of one account, whoever is logged in.
    LoggedIn(Arc<str>),
}

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The password was right.
    Right,
    /// The password was wrong.
    Wrong,
    /// The password was not checked, or nobody was told.
    Untold,
}

/// Whether a password may be checked.
#[derive(Debug)]
pub(super) enum Admission {
    /// It may; the outcome has to be told.
    Admitted,
    /// It may not before this time is over.
    Refused(Wait),
    /// It depends on the outcome of others who are being checked. The channel tells of the next.
    Undecided(watch::Receiver<()>),
}

/// Failed tries of each allowance, and the waits that follow from them.
///
/// Only a failure makes an entry, and each costs its maker the hash of a password. Of tries made at
/// once no more are checked than may fail, and the others learn from those: so right passwords never
/// count, and wrong ones count as if they had come in turn.
#[derive(Debug)]
pub(super) struct GuessLimit {
    /// Allowances that have failed and need not wait yet.
    few: BoundedMap<Allowance, Failures>,
    /// Allowances that have failed too often. They are kept apart, so that no number of names that
    /// fail once or twice pushes them out.
    many: BoundedMap<Allowance, Failures>,
    /// Allowances whose passwords are being checked. As many as there are callers at most.
    in_flight: HashMap<Allowance, InFlight, foldhash::fast::RandomState>,
    free: u32,
    first_delay: Duration,
    max_delay: Duration,
}

#[derive(Debug, Clone, Copy, Default)]
struct Failures {
    count: u32,
    next_try_at: Option<Instant>,
}

#[derive(Debug)]
struct InFlight {
    count: u32,
    ended: watch::Sender<()>,
}

impl GuessLimit {
    pub(super) fn new(config: &ThrottleConfig) -> Self {
        Self {
            few: BoundedMap::new(config.capacity, MEMORY),
            many: BoundedMap::new(config.capacity, MEMORY),
            in_flight: HashMap::default(),
            free: config.failures,
            first_delay: config.failure_delay,
            max_delay: config.max_failure_delay,
        }
    }

    /// Lets a try through, or says what to wait for. What has to wait is not counted, so that waits
    /// do not grow by impatience.
    pub(super) fn admit(&mut self, allowance: &Allowance, now: Instant) -> Admission {
        let failures = self.failures(allowance, now);
        if let Some(next_try_at) = failures.next_try_at.filter(|&at| at > now) {
            return Admission::Refused(Wait(next_try_at - now));
        }
        let may_fail = self.free.saturating_sub(failures.count).max(1);
        let in_flight = self
            .in_flight
            .entry(allowance.clone())
            .or_insert_with(|| InFlight { count: 0, ended: watch::Sender::new(()) });
        if in_flight.count >= may_fail {
            // They keep places in the line for a thread that hashes, which others need as well.
            if in_flight.ended.receiver_count() >= MAX_UNDECIDED {
                return Admission::Refused(Wait(CROWDED_WAIT));
            }
            return Admission::Undecided(in_flight.ended.subscribe());
        }
        in_flight.count += 1;
        Admission::Admitted
    }

    /// What came of a try that was admitted.
    pub(super) fn end(&mut self, allowance: &Allowance, outcome: Outcome, now: Instant) {
        match outcome {
            Outcome::Right => {
                self.few.remove(allowance);
                self.many.remove(allowance);
            }
            Outcome::Wrong => {
                self.fail(allowance, now);
                // An address may be shared. What fails there counts for strangers, too, so that
                // sharing one gives no more tries than not sharing it.
                if let Allowance::Address(account, _) = allowance {
                    self.fail(&Allowance::Anybody(Arc::clone(account)), now);
                }
            }
            Outcome::Untold => {}
        }
        if let Some(in_flight) = self.in_flight.get_mut(allowance) {
            in_flight.count = in_flight.count.saturating_sub(1);
            in_flight.ended.send_replace(());
            if in_flight.count == 0 {
                self.in_flight.remove(allowance);
            }
        }
    }

    fn failures(&self, allowance: &Allowance, now: Instant) -> Failures {
        let found = self.many.get(allowance, now).or_else(|| self.few.get(allowance, now));
        found.copied().unwrap_or_default()
    }

    fn fail(&mut self, allowance: &Allowance, now: Instant) {
        let count = self.failures(allowance, now).count.saturating_add(1);
        let next_try_at = count.checked_sub(self.free).map(|beyond| {
            let delay = self.first_delay.saturating_mul(2_u32.saturating_pow(beyond));
            now + delay.min(self.max_delay)
        });
        let failures = Failures { count, next_try_at };
        if next_try_at.is_some() {
            self.few.remove(allowance);
            self.many.insert(allowance.clone(), failures, now);
        } else {
            self.few.insert(allowance.clone(), failures, now);
        }
    }
}

#[cfg(test)]
#[path = "guesses_tests.rs"]
mod tests;
