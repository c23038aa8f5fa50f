//! A map in parts, each behind its own lock, so that unrelated keys seldom wait for each other.

use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::HashMap;
use foldhash::fast::RandomState;

const SHARDS: usize = 64;

/// A map whose entries are spread over [`SHARDS`] locked parts by the hash of their keys.
#[derive(Debug)]
pub(crate) struct Sharded<K, V> {
    /// Each lock protects the entries whose keys hash to its place.
    shards: Box<[Mutex<HashMap<K, V>>]>,
    hasher: RandomState,
}

impl<K: Hash + Eq, V> Sharded<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::default(),
        }
    }

    /// Locks the part that holds `key`.
    pub(crate) fn lock(&self, key: &K) -> MutexGuard<'_, HashMap<K, V>> {
        let place = usize::try_from(self.hasher.hash_one(key) >> 40).unwrap_or(0) % SHARDS;
        lock(&self.shards[place])
    }

    /// Visits every part in turn; what changes meanwhile in others may be seen or not.
    pub(crate) fn for_each_shard(&self, mut visit: impl FnMut(&mut HashMap<K, V>)) {
        for shard in &self.shards {
            visit(&mut lock(shard));
        }
    }

    /// All keys, at about this moment.
    pub(crate) fn keys(&self) -> Vec<K>
    where
        K: Clone,
    {
        let mut keys = Vec::new();
        self.for_each_shard(|shard| keys.extend(shard.keys().cloned()));
        keys
    }
}

/// Locks, whatever happened to a former holder: every critical section of this crate leaves its
/// data whole at each step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
