//! Entries of one kind.

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use moka::sync::Cache;
use tokio::time::Instant;

use super::flight::{Flights, Miss};
use super::generations::{Generations, Slot};
use super::stats::CacheCount;
use crate::store::StoreError;

/// After which time an entry's room is given back, or after the staleness bound if that is longer. Whether an entry is fresh is
/// decided apart, by the staleness bound.
const RECLAIM: Duration = Duration::from_secs(60);
/// The same for a bound that is longer than anybody means.
const RECLAIM_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// For how many reads of others a caller waits before it reads for itself, whoever else does: a
/// store that fails or finds nothing is not asked by one after the other.
const WAITS: usize = 2;

/// What decides whether an entry is fresh; the same for all kinds.
#[derive(Debug)]
pub(super) struct Freshness {
    pub(super) generations: Generations,
    pub(super) staleness: Duration,
}

/// The moment before a read of the store began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    generation: u64,
    at: Instant,
}

impl Mark {
    fn is_later_than(self, other: Self) -> bool {
        (self.at, self.generation) > (other.at, other.generation)
    }
}

impl Freshness {
    pub(super) fn mark(&self) -> Mark {
        Mark { generation: self.generations.current(), at: Instant::now() }
    }

    fn holds(&self, mark: Mark, depends_on: &[Slot]) -> bool {
        mark.at.elapsed() < self.staleness
            && self.generations.unchanged(mark.generation, depends_on)
    }
}

/// An answer of the store, and what it depends on.
#[derive(Debug)]
pub(super) struct Answer<V> {
    pub(super) value: V,
    pub(super) depends_on: Box<[Slot]>,
}

#[derive(Debug)]
struct Entry<V> {
    answer: Answer<V>,
    mark: Mark,
}

/// Entries of one kind, by what was asked.
///
/// An entry is served only while it is fresh, so nothing need ever be removed to be right: an
/// answer that was overtaken by a change may be kept, and is never served.
pub(super) struct Shelf<K, V> {
    entries: Cache<K, Arc<Entry<V>>, RandomState>,
    flights: Flights<K>,
    freshness: Arc<Freshness>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl<K, V> Shelf<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Room for so many entries.
    pub(super) fn new(freshness: &Arc<Freshness>, entries: u64) -> Self {
        Self::weighing(freshness, entries, |_| 1)
    }

    /// Room for entries of so much weight.
    pub(super) fn weighing(
        freshness: &Arc<Freshness>,
        weight: u64,
        weigh: fn(&Answer<V>) -> usize,
    ) -> Self {
        let entries = Cache::builder()
            .max_capacity(weight)
            .weigher(move |_: &K, entry: &Arc<Entry<V>>| {
                u32::try_from(weigh(&entry.answer)).unwrap_or(u32::MAX)
            })
            .time_to_live(freshness.staleness.clamp(RECLAIM, RECLAIM_MAX))
            .build_with_hasher(RandomState::default());
        Self {
            entries,
            flights: Flights::new(),
            freshness: Arc::clone(freshness),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// The entry if it is fresh, and otherwise what `read` answers, which is kept.
    ///
    /// Of several callers who miss an entry at once the first reads it, and the others then look
    /// again: they are served what was read only if it is still fresh. So nobody is handed what was
    /// read before a change that came before the call.
    pub(super) async fn get_or_read(
        &self,
        key: K,
        read: impl Future<Output = Result<Option<Answer<V>>, StoreError>> + Send,
    ) -> Result<Option<V>, StoreError> {
        if let Some(value) = self.get(&key) {
            return Ok(Some(value));
        }
        let mut flight = None;
        for _ in 0..WAITS {
            match self.flights.miss(&key) {
                Miss::Read(taken) => {
                    flight = Some(taken);
                    break;
                }
                Miss::Wait(landed) => landed.cancelled().await,
            }
            if let Some(value) = self.get(&key) {
                return Ok(Some(value));
            }
        }
        self.missed(1);
        let mark = self.freshness.mark();
        let Some(answer) = read.await? else { return Ok(None) };
        let value = answer.value.clone();
        self.keep(key, answer, mark);
        drop(flight);
        Ok(Some(value))
    }

    /// The entry, counted as a hit, if it is fresh.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let entry = self.entries.get(key)?;
        self.freshness.holds(entry.mark, &entry.answer.depends_on).then(|| {
            self.hits.fetch_add(1, Ordering::Relaxed);
            entry.answer.value.clone()
        })
    }

    /// Counts that the store is asked for so many.
    pub(super) fn missed(&self, count: usize) {
        self.misses.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Keeps an answer to what was asked at `mark`, unless a later one is there.
    pub(super) fn keep(&self, key: K, answer: Answer<V>, mark: Mark) {
        let entry = Arc::new(Entry { answer, mark });
        self.entries.entry(key).and_upsert_with(|there| match there {
            Some(there) if there.value().mark.is_later_than(mark) => there.into_value(),
            _ => entry,
        });
    }

    /// The count, after upkeep.
    pub(super) fn count(&self) -> CacheCount {
        self.entries.run_pending_tasks();
        CacheCount {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            entries: self.entries.entry_count(),
        }
    }
}

/// Without the entries, which are nobody's business in a log.
impl<K, V> fmt::Debug for Shelf<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf")
            .field("hits", &self.hits)
            .field("misses", &self.misses)
            .finish_non_exhaustive()
    }
}
