use chat_core::presence::Lease;
use redis::{FromRedisValue, Value};

use super::super::error::CallError;

/// Which leases are in force, as the server that has them saw it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// The last number that a lease was given.
    last: u64,
    /// The numbers of leases in force.
    in_force: Vec<u64>,
}

impl View {
    pub(super) fn read(answer: Value) -> Result<Self, CallError> {
        let mut numbers = Vec::<u64>::from_redis_value(answer)?;
        let in_force = if numbers.is_empty() { Vec::new() } else { numbers.split_off(1) };
        Ok(Self { last: numbers.first().copied().unwrap_or_default(), in_force })
    }

    /// Whether an entry (`<number of the lease>:<devices>`) counts: its lease is in force, or has
    /// begun since.
    pub(super) fn counts(&self, entry: &str) -> bool {
        let number = entry.split_once(':').and_then(|(number, _)| number.parse().ok());
        number.is_some_and(|number| number > self.last || self.in_force.contains(&number))
    }

    /// The view as scripts take it, after other arguments.
    pub(super) fn after(&self, arguments: impl IntoIterator<Item = String>) -> Vec<String> {
        let numbers = std::iter::once(&self.last).chain(&self.in_force);
        arguments.into_iter().chain(numbers.map(u64::to_string)).collect()
    }
}

/// What comes of renewing a lease.
#[derive(Debug)]
pub(super) struct Renewed {
    pub(super) lease: Lease,
    /// The number of the lease.
    pub(super) number: u64,
    pub(super) view: View,
}

impl Renewed {
    pub(super) fn read(answer: Value) -> Result<Self, CallError> {
        let (kept, number, view) = FromRedisValue::from_redis_value(answer)?;
        let lease = if kept { Lease::Kept } else { Lease::Begun };
        Ok(Self { lease, number, view: View::read(view)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_counts_while_its_lease_does_or_if_that_is_newer() {
        let view = View { last: 7, in_force: vec![5, 7] };
        for (entry, counts) in [("5:1", true), ("6:1", false), ("7:2", true), ("8:1", true)] {
            assert_eq!(view.counts(entry), counts, "{entry}");
        }
        assert!(!view.counts("away"));
        assert_eq!(view.after(["x".to_owned()]), ["x", "7", "5", "7"]);
    }
}
