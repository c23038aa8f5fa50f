use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::limit::{LimitKey, NextFree, Quota, SharedLimits, Verdict};
use crate::store::StoreError;

/// Keys from which on idle ones are forgotten.
const PRUNE_AT: usize = 65_536;

/// Limits in memory, for the nodes of one process, each with a clone.
#[derive(Debug, Clone, Default)]
pub struct MemoryLimits {
    /// When each key is free next. The lock is held for one call.
    keys: Arc<Mutex<HashMap<LimitKey, NextFree>>>,
}

impl MemoryLimits {
    /// Nothing has been counted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl SharedLimits for MemoryLimits {
    async fn count(&self, key: &LimitKey, quota: &Quota) -> Result<Verdict, StoreError> {
        let now = Instant::now();
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= PRUNE_AT {
            keys.retain(|_, free| !free.has_passed(now));
        }
        Ok(match quota.check(keys.get(key).copied(), now) {
            Ok(next) => {
                keys.insert(key.clone(), next);
                Verdict::Allowed
            }
            Err(wait) => Verdict::Wait(wait),
        })
    }
}
