/// How many slots there are.
pub(super) const SLOTS: u16 = 16_384;

/// One of the 16,384 parts into which a Redis Cluster divides keys and sharded channels. A single
/// server has all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(pub(super) u16);

impl Slot {
    /// The slot of a key or a channel: only what is between the first braces counts, if there is
    /// something between them.
    pub(super) fn of(name: &str) -> Self {
        let counted = name
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'))
            .map_or(name, |(tag, _)| if tag.is_empty() { name } else { tag });
        Self(crc16(counted.as_bytes()) % SLOTS)
    }
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ (u16::from(*byte) << 8), |sum, _| {
            if sum & 0x8000 == 0 { sum << 1 } else { (sum << 1) ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(Slot::of("foo"), Slot(12_182));
        assert_eq!(Slot::of("{user1000}.following"), Slot::of("{user1000}.followers"));
        assert_eq!(Slot::of("foo{}{bar}"), Slot(crc16(b"foo{}{bar}") % SLOTS));
        assert_eq!(Slot::of("foo{bar}{zap}"), Slot::of("bar"));
    }
}
