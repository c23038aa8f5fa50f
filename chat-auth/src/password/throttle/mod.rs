//! How often logins may be tried. Pure: the clock is an argument.

mod accounts;
mod addresses;
mod bounded;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accounts::AccountLimit;
use addresses::AddressLimit;

/// How often logins may be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleConfig {
    /// Failed logins of one account before each further one has to wait. Default 5.
    ///
    /// The first wait is as long as `failure_delay`, each further one twice as long as the last,
    /// up to `max_failure_delay`. A good login ends it, and so do 15 minutes without a failure.
    /// No account is ever locked: that would let anybody lock anybody out.
    pub failures: u32,
    /// The first wait. Default 12 s.
    pub failure_delay: Duration,
    /// The longest wait. Default 60 s.
    pub max_failure_delay: Duration,
    /// Logins and registrations of one address each minute, good or not. Default 10.
    ///
    /// The 2⁶⁴ addresses of an IPv6 subscriber count as one. Loopback addresses are not counted:
    /// behind a reverse proxy on the same machine they are everybody.
    pub attempts_per_minute: u32,
    /// Accounts, and addresses, that are remembered; beyond this, the longest unused are
    /// forgotten. Default 10,000 of each.
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

/// Too many tries; the next one may be made after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait(pub(super) Duration);

/// The limits of accounts and of addresses.
#[derive(Debug)]
pub(super) struct Throttle {
    /// Both limits; locked for one look-up at a time.
    limits: Mutex<Limits>,
}

#[derive(Debug)]
struct Limits {
    accounts: AccountLimit,
    addresses: AddressLimit,
}

impl Throttle {
    pub(super) fn new(config: &ThrottleConfig) -> Self {
        let limits =
            Limits { accounts: AccountLimit::new(config), addresses: AddressLimit::new(config) };
        Self { limits: Mutex::new(limits) }
    }

    /// Counts a try from this address.
    pub(super) fn admit_address(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Wait> {
        address.map_or(Ok(()), |address| self.lock().addresses.admit(address, now))
    }

    /// Counts a try at this account as a failure, before its password is checked: of tries made at
    /// once, no more are let through than of tries made in turn.
    pub(super) fn admit_account(&self, account: &str, now: Instant) -> Result<(), Wait> {
        self.lock().accounts.admit(account, now)
    }

    /// The password was right.
    pub(super) fn succeeded(&self, account: &str) {
        self.lock().accounts.clear(account);
    }

    /// The password could not be checked: the try does not count.
    pub(super) fn not_tried(&self, account: &str) {
        self.lock().accounts.forgive(account);
    }

    fn lock(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
