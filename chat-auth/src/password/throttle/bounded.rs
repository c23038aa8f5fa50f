use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// A map of bounded size that forgets what was not used for some time, and, when that is not
/// enough, what has not been used for the longest time.
#[derive(Debug)]
pub(super) struct BoundedMap<K, V> {
    entries: HashMap<K, Entry<V>, foldhash::fast::RandomState>,
    capacity: usize,
    memory: Duration,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    used_at: Instant,
}

impl<K: Eq + Hash + Clone, V> BoundedMap<K, V> {
    /// Keeps at most `capacity` entries, each at least for `memory` after its last use as long as
    /// there is room.
    pub(super) fn new(capacity: usize, memory: Duration) -> Self {
        Self { entries: HashMap::default(), capacity: capacity.max(1), memory }
    }

    /// The entry, made if it is not there or was forgotten. Counts as a use.
    pub(super) fn entry(&mut self, key: K, now: Instant, make: impl FnOnce() -> V) -> &mut V {
        let memory = self.memory;
        let is_live = |entry: &Entry<V>| now.saturating_duration_since(entry.used_at) < memory;
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&key) {
            self.entries.retain(|_, entry| is_live(entry));
            self.make_room();
        }
        if self.entries.get(&key).is_some_and(|entry| !is_live(entry)) {
            self.entries.remove(&key);
        }
        let entry =
            self.entries.entry(key).or_insert_with(|| Entry { value: make(), used_at: now });
        entry.used_at = now;
        &mut entry.value
    }

    /// The entry if it is there. Does not count as a use.
    pub(super) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    pub(super) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.entries.remove(key);
    }

    fn make_room(&mut self) {
        while self.entries.len() >= self.capacity {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used_at);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { return };
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_entry_makes_room() {
        let mut map = BoundedMap::new(2, Duration::from_secs(60));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        *map.entry("a", at(0), || 1) += 10;
        *map.entry("b", at(1), || 2) += 10;
        assert_eq!(*map.entry("a", at(2), || 0), 11);
        map.entry("c", at(3), || 3);
        assert_eq!(map.get_mut("b"), None);
        assert_eq!(map.get_mut("a"), Some(&mut 11));
        assert_eq!(map.entries.len(), 2);
    }

    #[test]
    fn an_entry_is_forgotten_in_time() {
        let mut map = BoundedMap::new(2, Duration::from_secs(60));
        let start = Instant::now();
        *map.entry("a", start, || 1) += 1;
        assert_eq!(*map.entry("a", start + Duration::from_secs(59), || 1), 2);
        assert_eq!(*map.entry("a", start + Duration::from_secs(119), || 1), 1);
    }
}
