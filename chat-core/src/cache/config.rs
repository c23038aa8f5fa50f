use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much a [`CachedStore`](super::CachedStore) keeps, and for how long. Every field has a
/// default that suits most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// The staleness bound, in milliseconds: no answer is older. What another node did may go
    /// unseen for so long when news of it is lost, or when nobody here is told of it. 0 keeps
    /// nothing. Default 5,000.
    pub staleness_ms: u64,
    /// The most entries of each kind but pages. Default 10,000.
    pub entries: u64,
    /// The most items on all kept pages of members, and on all kept pages of conversations. With
    /// this and `entries` at their defaults and everything full, a cache takes about 60 MB.
    /// Default 50,000.
    pub page_items: u64,
    /// How many recent conversations are read when an engine starts. 0 reads none. Default 1,000.
    pub warm: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { staleness_ms: 5_000, entries: 10_000, page_items: 50_000, warm: 1_000 }
    }
}

impl CacheConfig {
    pub(super) const fn staleness(&self) -> Duration {
        Duration::from_millis(self.staleness_ms)
    }
}
