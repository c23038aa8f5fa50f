use std::net::{IpAddr, Ipv6Addr};

/// The address as one subscriber has it: an IPv4 address as such, however it is written, and the
/// /64 network of an IPv6 address, which is the least that a subscriber is given. Loopback addresses are
/// left as they are.
///
/// For limits by address: whoever has one network has 2⁶⁴ addresses.
#[must_use]
pub fn subscriber(address: IpAddr) -> IpAddr {
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

    #[test]
    fn a_subscriber_is_one_however_the_address_is_written() {
        for (first, second, same) in [
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("127.0.0.1", "::ffff:127.0.0.1", true),
            ("::1", "::2", false),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            let subscriber = |text: &str| subscriber(text.parse().unwrap());
            assert_eq!(subscriber(first) == subscriber(second), same, "{first} {second}");
        }
    }
}
