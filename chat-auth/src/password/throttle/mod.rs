//! How often logins may be tried. The limits are pure, with the clock as an argument; only
//! [`Throttle::begin`] waits.

mod bounded;
mod guesses;
mod known_addresses;
mod rate;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chat_core::limit::subscriber;
pub(super) use guesses::Allowance;
use guesses::{Admission, GuessLimit, Outcome};
use known_addresses::KnownAddresses;
use rate::RateLimit;

use super::device::DeviceId;

/// How often logins may be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleConfig {
    /// Failed logins of one account before each further one has to wait. Default 5.
    ///
    /// The first wait is as long as `failure_delay`, each further one twice as long as the last,
    /// up to `max_failure_delay`. A good login ends it, and so do 15 minutes without a failure.
    /// No account is ever locked: that would let anybody lock anybody out.
    ///
    /// Devices and addresses that have logged in to the account before have as many failures of
    /// their own, so that others who guess cannot keep them out.
    pub failures: u32,
    /// The first wait. Default 12 s.
    pub failure_delay: Duration,
    /// The longest wait. Default 60 s.
    pub max_failure_delay: Duration,
    /// Logins and registrations of one address each minute, good or not. Default 10.
    ///
    /// The 2⁶⁴ addresses of an IPv6 subscriber count as one. Loopback addresses are not counted:
    /// behind a reverse proxy on the same machine they are everybody. A device that has logged in
    /// before is counted by itself and not with its address: six times as many.
    pub attempts_per_minute: u32,
    /// How many accounts, addresses and devices are remembered, in each of five tables; beyond this,
    /// the longest unused are forgotten. Default 10,000, which is some 10 MB when all are full.
    pub capacity: usize,
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            failure_delay: Duration::from_secs(12),
            max_failure_delay: Duration::from_secs(60),
            attempts_per_minute: 10,
            capacity: 10_000,
        }
    }
}

/// How many more tries a device that has logged in before has than an address. One person logs in on
/// it, and it may be a program that logs in for every task.
const DEVICE_FACTOR: u32 = 6;

/// Too many tries; the next one may be made after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait(pub(super) Duration);

/// Who or what makes tries, good or not, that are counted by the minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// An address.
    Address(IpAddr),
    /// A device that has logged in before.
    Device(DeviceId),
    /// Nobody that could be told from others.
    Unknown,
}

/// All limits on logins.
#[derive(Debug)]
pub(super) struct Throttle {
    /// The limits; locked for one look-up at a time.
    limits: Mutex<Limits>,
}

#[derive(Debug)]
struct Limits {
    guesses: GuessLimit,
    addresses: RateLimit<IpAddr>,
    devices: RateLimit<DeviceId>,
    known: KnownAddresses,
}

/// A password that is being checked. Dropped without an outcome, it does not count: nobody was told
/// whether it was right.
#[derive(Debug)]
pub(super) struct Try {
    throttle: Arc<Throttle>,
    allowance: Allowance,
    outcome: Outcome,
}

impl Throttle {
    pub(super) fn new(config: &ThrottleConfig) -> Self {
        let (per_minute, capacity) = (config.attempts_per_minute, config.capacity);
        let limits = Limits {
            guesses: GuessLimit::new(config),
            addresses: RateLimit::new(per_minute, capacity),
            devices: RateLimit::new(per_minute.saturating_mul(DEVICE_FACTOR), capacity),
            known: KnownAddresses::new(capacity),
        };
        Self { limits: Mutex::new(limits) }
    }

    /// Counts a try from this source.
    pub(super) fn admit(&self, source: &Source, now: Instant) -> Result<(), Wait> {
        match source {
            Source::Address(address) if address.to_canonical().is_loopback() => Ok(()),
            Source::Address(address) => self.lock().addresses.admit(subscriber(*address), now),
            Source::Device(device) => self.lock().devices.admit(*device, now),
            Source::Unknown => Ok(()),
        }
    }

    /// Waits until the password of a try may be checked.
    ///
    /// That is at once, or when those who are being checked have left room for one more failure.
    ///
    /// # Errors
    ///
    /// Too many have failed.
    pub(super) async fn begin(self: &Arc<Self>, allowance: Allowance) -> Result<Try, Wait> {
        loop {
            let admission = self.lock().guesses.admit(&allowance, Instant::now());
            match admission {
                Admission::Admitted => {
                    let throttle = Arc::clone(self);
                    return Ok(Try { throttle, allowance, outcome: Outcome::Untold });
                }
                Admission::Refused(wait) => return Err(wait),
                // An error tells that nobody is being checked any more.
                Admission::Undecided(mut next) => drop(next.changed().await),
            }
        }
    }

    /// Somebody has logged in to the account from here.
    pub(super) fn remember(&self, account: &Arc<str>, address: IpAddr, now: Instant) {
        self.lock().known.remember(account, subscriber(address), now);
    }

    /// The allowance of this address, if somebody has logged in to the account from there.
    pub(super) fn of_address(
        &self,
        account: &Arc<str>,
        address: IpAddr,
        now: Instant,
    ) -> Option<Allowance> {
        let address = subscriber(address);
        let is_known = self.lock().known.contains(account, address, now);
        is_known.then(|| Allowance::Address(Arc::clone(account), address))
    }

    fn lock(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Try {
    /// The password was right.
    pub(super) fn succeeded(mut self) {
        self.outcome = Outcome::Right;
    }

    /// The password was wrong.
    pub(super) fn failed(mut self) {
        self.outcome = Outcome::Wrong;
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        self.throttle.lock().guesses.end(&self.allowance, self.outcome, Instant::now());
    }
}
