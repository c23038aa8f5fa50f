use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_core::limit::subscriber;

use crate::config::ConnectionsConfig;

/// How many connections there may be, in all and of each address.
#[derive(Debug)]
pub(super) struct Capacity {
    total: usize,
    per_address: usize,
    limit_loopback: bool,
    /// Connections there are. Locked for one look-up at a time.
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    /// Addresses with at least one connection, so no more than there are connections.
    by_address: HashMap<IpAddr, usize>,
}

/// A place for one connection; free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    capacity: Arc<Capacity>,
    address: Option<IpAddr>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The server has as many connections as allowed.
    Server,
    /// The address has as many connections as allowed.
    Address,
}

impl Capacity {
    pub(super) fn new(config: &ConnectionsConfig) -> Self {
        Self {
            total: config.total,
            per_address: config.per_address,
            limit_loopback: config.limit_loopback,
            taken: Mutex::default(),
        }
    }

    /// Takes a place for a connection from this address.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let address = subscriber(address);
        let limited = (self.limit_loopback || !address.is_loopback()).then_some(address);
        let mut taken = self.lock();
        if taken.total >= self.total {
            return Err(Full::Server);
        }
        if let Some(address) = limited {
            let count = taken.by_address.entry(address).or_default();
            if *count >= self.per_address {
                return Err(Full::Address);
            }
            *count += 1;
        }
        taken.total += 1;
        Ok(Place { capacity: Arc::clone(self), address: limited })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.capacity.lock();
        taken.total -= 1;
        let Some(address) = self.address else { return };
        if let Some(count) = taken.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capacity(total: usize, per_address: usize) -> Arc<Capacity> {
        let config = ConnectionsConfig { total, per_address, ..ConnectionsConfig::default() };
        Arc::new(Capacity::new(&config))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let capacity = capacity(10, 2);
        let first = capacity.take(address("192.0.2.1")).unwrap();
        let _second = capacity.take(address("::ffff:192.0.2.1")).unwrap();
        assert_eq!(capacity.take(address("192.0.2.1")).unwrap_err(), Full::Address);
        assert!(capacity.take(address("192.0.2.2")).is_ok());
        drop(first);
        assert!(capacity.take(address("192.0.2.1")).is_ok());
    }

    #[test]
    fn the_server_has_a_total_for_loopback_too() {
        let capacity = capacity(3, 1);
        let places: Vec<_> = (0..3).map(|_| capacity.take(address("127.0.0.1")).unwrap()).collect();
        assert_eq!(capacity.take(address("127.0.0.1")).unwrap_err(), Full::Server);
        drop(places);
        assert_eq!(capacity.lock().total, 0);
        assert!(capacity.lock().by_address.is_empty());
    }

    #[test]
    fn nothing_is_kept_of_addresses_that_are_gone() {
        let capacity = capacity(10_000, 1);
        for host in 0..5_000_u32 {
            drop(capacity.take(IpAddr::from(host.to_be_bytes())));
        }
        assert!(capacity.lock().by_address.is_empty());
    }
}
