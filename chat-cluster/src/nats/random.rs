//! Chance, for names that nobody else uses, and for waits that do not coincide.

use std::time::Duration;

/// Any number. Zero for ever where the system has no randomness, which costs only waits that
/// coincide and names that are easier to guess.
pub(super) fn number() -> u64 {
    getrandom::u64().unwrap_or_default()
}

/// Between half of a time and all of it.
pub(super) fn around(most: Duration) -> Duration {
    let half = most / 2;
    let nanos = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
    half + Duration::from_nanos(number().checked_rem(nanos.saturating_add(1)).unwrap_or(0))
}
