//! Numbers that order what is told of presence and typing.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

/// The largest number that every client can keep exactly: 2⁵³ − 1.
const MAX: u64 = (1 << 53) - 1;

/// Numbers for what this node tells of presence and typing, each higher than all before it and than
/// all that were heard of.
///
/// The number is the time in microseconds where no higher one is known. So nodes whose clocks agree
/// order what they tell by the time, and a node whose clock is slow catches up as soon as it hears
/// another. A teller takes its number before it reads the state that it tells: whoever has the
/// highest number has read last.
#[derive(Debug, Default)]
pub(crate) struct Versions(AtomicU64);

impl Versions {
    /// The next number.
    pub(crate) fn next(&self) -> u64 {
        let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        let after = |last: u64| now.max(last + 1).min(MAX);
        let order = Ordering::AcqRel;
        let last = self.0.fetch_update(order, Ordering::Acquire, |last| Some(after(last)));
        last.map_or(now, after)
    }

    /// Hears of a number of another node.
    pub(crate) fn hear(&self, version: u64) {
        self.0.fetch_max(version.min(MAX - 1), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_higher_than_all_before_and_all_heard_of() {
        let versions = Versions::default();
        let first = versions.next();
        assert!(versions.next() > first);
        let ahead = first + 3_600_000_000;
        versions.hear(ahead);
        versions.hear(first);
        assert_eq!(versions.next(), ahead + 1);
        versions.hear(u64::MAX);
        assert_eq!(versions.next(), MAX, "no client is told more than it can keep");
    }
}
