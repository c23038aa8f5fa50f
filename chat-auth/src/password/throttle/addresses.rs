use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::bounded::BoundedMap;
use super::{ThrottleConfig, Wait};

const MINUTE: Duration = Duration::from_secs(60);

/// Tries of each address, evened out over a minute: all of a minute's may be made at once, and
/// come back one by one.
#[derive(Debug)]
pub(super) struct AddressLimit {
    /// For each address, when all of its tries will have come back (the "theoretical arrival time"
    /// of the generic cell rate algorithm).
    full_at: BoundedMap<IpAddr, Instant>,
    /// How long it takes until one try comes back.
    interval: Duration,
}

impl AddressLimit {
    pub(super) fn new(config: &ThrottleConfig) -> Self {
        Self {
            full_at: BoundedMap::new(config.capacity, MINUTE),
            interval: MINUTE / config.attempts_per_minute.max(1),
        }
    }

    /// Lets a try through and counts it, or says how long to wait.
    pub(super) fn admit(&mut self, address: IpAddr, now: Instant) -> Result<(), Wait> {
        let address = subscriber(address);
        if address.is_loopback() {
            return Ok(());
        }
        let full_at = self.full_at.entry(address, now, || now);
        let next = (*full_at).max(now) + self.interval;
        if let Some(early) = next.checked_duration_since(now + MINUTE).filter(|e| !e.is_zero()) {
            return Err(Wait(early));
        }
        *full_at = next;
        Ok(())
    }
}

/// The address as one subscriber has it: an IPv4 address as such, however it is written, and the
/// /64 network of an IPv6 address, which is the least that a subscriber is given.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> AddressLimit {
        AddressLimit::new(&ThrottleConfig::default())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ten_tries_a_minute_come_back_one_by_one() {
        let (mut limit, mut now) = (limit(), Instant::now());
        let ada = address("192.0.2.1");
        for _ in 0..10 {
            assert_eq!(limit.admit(ada, now), Ok(()));
        }
        for _ in 0..3 {
            assert_eq!(limit.admit(ada, now), Err(Wait(Duration::from_secs(6))));
            now += Duration::from_secs(6);
            assert_eq!(limit.admit(ada, now), Ok(()));
        }
        assert_eq!(limit.admit(address("192.0.2.2"), now), Ok(()), "another address");
    }

    #[test]
    fn a_subscriber_counts_once_however_the_address_is_written() {
        for (first, second, same) in [
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            let (mut limit, now) = (limit(), Instant::now());
            for _ in 0..10 {
                assert_eq!(limit.admit(address(first), now), Ok(()));
            }
            assert_eq!(limit.admit(address(second), now).is_err(), same, "{first} {second}");
        }
    }

    #[test]
    fn loopback_is_not_counted() {
        let (mut limit, now) = (limit(), Instant::now());
        for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            for _ in 0..1_000 {
                assert_eq!(limit.admit(address(text), now), Ok(()));
            }
        }
    }
}
