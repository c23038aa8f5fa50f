use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// A map of bounded size that forgets what was not written for some time, and, when that is not
/// enough, what has not been written for the longest time.
#[derive(Debug)]
pub(super) struct BoundedMap<K, V> {
    entries: HashMap<K, Entry<V>, foldhash::fast::RandomState>,
    capacity: usize,
    memory: Duration,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    written_at: Instant,
}

impl<K: Eq + Hash + Clone, V> BoundedMap<K, V> {
    /// Keeps at most `capacity` entries, each for `memory` after it was written as long as there is
    /// room.
    pub(super) fn new(capacity: usize, memory: Duration) -> Self {
        Self { entries: HashMap::default(), capacity: capacity.max(1), memory }
    }

    /// The entry, unless it was forgotten.
    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: Instant) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.get(key)?;
        self.is_live(entry, now).then_some(&entry.value)
    }

    /// Writes an entry, in the place of the one with this key if there is one.
    pub(super) fn insert(&mut self, key: K, value: V, now: Instant) {
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&key) {
            self.make_room(now);
        }
        self.entries.insert(key, Entry { value, written_at: now });
    }

    pub(super) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.entries.remove(key);
    }

    fn is_live(&self, entry: &Entry<V>, now: Instant) -> bool {
        now.saturating_duration_since(entry.written_at) < self.memory
    }

    fn make_room(&mut self, now: Instant) {
        let memory = self.memory;
        self.entries.retain(|_, entry| now.saturating_duration_since(entry.written_at) < memory);
        while self.entries.len() >= self.capacity {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.written_at);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { return };
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unwritten_entry_makes_room() {
        let mut map = BoundedMap::new(2, Duration::from_secs(60));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        map.insert("a", 1, at(0));
        map.insert("b", 2, at(1));
        map.insert("a", 3, at(2));
        map.insert("c", 4, at(3));
        let found = ["a", "b", "c"].map(|key| map.get(key, at(3)).copied());
        assert_eq!(found, [Some(3), None, Some(4)]);
        assert_eq!(map.entries.len(), 2);
    }

    #[test]
    fn an_entry_is_forgotten_in_time() {
        let mut map = BoundedMap::new(2, Duration::from_secs(60));
        let start = Instant::now();
        map.insert("a", 1, start);
        assert_eq!(map.get("a", start + Duration::from_secs(59)), Some(&1));
        assert_eq!(map.get("a", start + Duration::from_secs(60)), None);
    }
}
