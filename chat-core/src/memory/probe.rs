use async_trait::async_trait;

use super::MemoryStore;
use crate::store::{ProbeStore, StoreError};

#[async_trait]
impl ProbeStore for MemoryStore {
    async fn probe(&self) -> Result<(), StoreError> {
        drop(self.lock());
        Ok(())
    }
}
