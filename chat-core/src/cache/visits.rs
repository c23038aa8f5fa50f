use std::time::Duration;

use async_trait::async_trait;
use chat_proto::{NodeId, UserId};

use super::CachedStore;
use super::generations::Topic;
use crate::store::{StoreError, VisitStore};

#[async_trait]
impl VisitStore for CachedStore {
    async fn record_alive(&self, node: NodeId, users: &[UserId]) -> Result<(), StoreError> {
        self.store.record_alive(node, users).await
    }

    async fn end_visits(
        &self,
        except: NodeId,
        silent: Duration,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let ended = self.store.end_visits(except, silent, limit).await?;
        // Whose they are is known only now.
        drop(self.writing(ended.iter().map(Topic::Record)));
        Ok(ended)
    }
}
