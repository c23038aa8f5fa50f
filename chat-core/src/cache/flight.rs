//! Callers who miss the same entry at the same time.

use std::hash::Hash;

use tokio_util::sync::CancellationToken;

use crate::sharded::Sharded;

/// What is being read from the store at this moment, so that others who miss it, too, wait.
#[derive(Debug)]
pub(super) struct Flights<K>(Sharded<K, CancellationToken>);

/// What a caller who misses an entry does.
#[derive(Debug)]
pub(super) enum Miss<'a, K: Hash + Eq> {
    /// Reads, and keeps this until the entry is there.
    Read(Flight<'a, K>),
    /// Waits until this is cancelled, and looks again.
    Wait(CancellationToken),
}

/// A read under way. Dropping it wakes those who wait, whatever came of it.
#[derive(Debug)]
pub(super) struct Flight<'a, K: Hash + Eq> {
    flights: &'a Flights<K>,
    key: K,
    landed: CancellationToken,
}

impl<K: Hash + Eq + Clone> Flights<K> {
    pub(super) fn new() -> Self {
        Self(Sharded::new())
    }

    pub(super) fn miss(&self, key: &K) -> Miss<'_, K> {
        let mut under_way = self.0.lock(key);
        if let Some(landed) = under_way.get(key) {
            return Miss::Wait(landed.clone());
        }
        let landed = CancellationToken::new();
        under_way.insert(key.clone(), landed.clone());
        Miss::Read(Flight { flights: self, key: key.clone(), landed })
    }
}

impl<K: Hash + Eq> Drop for Flight<'_, K> {
    fn drop(&mut self) {
        self.flights.0.lock(&self.key).remove(&self.key);
        self.landed.cancel();
    }
}
