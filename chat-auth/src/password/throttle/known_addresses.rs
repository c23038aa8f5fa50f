use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bounded::BoundedMap;

/// How long an address is remembered after its last good login.
const MEMORY: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The addresses of one account that are remembered. Each has tries of its own, so there are few.
const PER_ACCOUNT: usize = 4;

/// From where people have logged in since this process began.
#[derive(Debug)]
pub(super) struct KnownAddresses {
    /// The addresses of each account, the last used first.
    accounts: BoundedMap<Arc<str>, Vec<IpAddr>>,
}

impl KnownAddresses {
    /// Remembers the addresses of at most `capacity` accounts.
    pub(super) fn new(capacity: usize) -> Self {
        Self { accounts: BoundedMap::new(capacity, MEMORY) }
    }

    /// Somebody has logged in from here.
    pub(super) fn remember(&mut self, account: &Arc<str>, address: IpAddr, now: Instant) {
        let mut addresses = self.accounts.get(account, now).cloned().unwrap_or_default();
        addresses.retain(|known| *known != address);
        addresses.insert(0, address);
        addresses.truncate(PER_ACCOUNT);
        self.accounts.insert(Arc::clone(account), addresses, now);
    }

    /// Whether somebody has logged in from here.
    pub(super) fn contains(&self, account: &Arc<str>, address: IpAddr, now: Instant) -> bool {
        self.accounts.get(account, now).is_some_and(|known| known.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_four_addresses_of_an_account_are_known() {
        let (mut known, now) = (KnownAddresses::new(2), Instant::now());
        let address = |n: u8| IpAddr::from([192, 0, 2, n]);
        let (ada, ben) = (Arc::from("ada"), Arc::from("ben"));
        for n in [0, 1, 2, 3, 0, 4] {
            known.remember(&ada, address(n), now);
        }
        let of_ada: Vec<_> = (0..6).filter(|&n| known.contains(&ada, address(n), now)).collect();
        assert_eq!(of_ada, [0, 2, 3, 4]);
        assert!(!known.contains(&ben, address(0), now));
        assert!(!known.contains(&ada, address(0), now + MEMORY));
    }
}
