use std::time::Duration;

use async_trait::async_trait;
use chat_proto::{NodeId, UserId};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{MemoryStore, to_microsecond};
use crate::store::{StoreError, VisitStore};

#[async_trait]
impl VisitStore for MemoryStore {
    async fn record_alive(&self, node: NodeId, users: &[UserId]) -> Result<(), StoreError> {
        let mut data = self.lock();
        data.alive.insert(node, (to_microsecond(Timestamp::now()), Instant::now()));
        let known: Vec<_> = users.iter().filter(|user| data.users.contains_key(user)).collect();
        data.visits.extend(known.into_iter().map(|user| (user.clone(), node)));
        Ok(())
    }

    async fn end_visits(
        &self,
        except: NodeId,
        silent: Duration,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let mut data = self.lock();
        let mut dead = data.alive.clone();
        dead.retain(|node, (_, at)| *node != except && at.elapsed() >= silent);
        let ended = data.visits.iter().filter(|(_, node)| dead.contains_key(*node)).take(limit);
        let ended: Vec<_> = ended.map(|(user, node)| (user.clone(), dead[node].0)).collect();
        for (id, at) in &ended {
            data.visits.remove(id);
            if let Some(user) = data.users.get_mut(id) {
                user.last_seen_at = user.last_seen_at.max(Some(*at));
            }
        }
        if ended.len() < limit {
            data.alive.retain(|node, _| !dead.contains_key(node));
        }
        Ok(ended.into_iter().map(|(user, _)| user).collect())
    }
}
