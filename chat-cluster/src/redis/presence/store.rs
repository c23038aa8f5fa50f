use std::time::Duration;

use async_trait::async_trait;
use chat_core::presence::{Entered, Lease, PresenceStore};
use chat_core::proto::{NodeId, PresenceStatus, UserId};
use chat_core::store::StoreError;

use super::super::RedisCluster;

#[async_trait]
impl PresenceStore for RedisCluster {
    async fn enter(
        &self,
        node: NodeId,
        user: &UserId,
        devices: u32,
        shown: PresenceStatus,
        lease: Duration,
    ) -> Result<Entered, StoreError> {
        Ok(self.member.presence.enter(node, user, devices, shown, lease).await?)
    }

    async fn leave(&self, node: NodeId, user: &UserId) -> Result<bool, StoreError> {
        Ok(self.member.presence.leave(node, user).await?)
    }

    async fn renew(&self, node: NodeId, lease: Duration) -> Result<Lease, StoreError> {
        Ok(self.member.presence.renew(node, lease).await?)
    }

    async fn expire(&self) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        Ok(self.member.presence.expire().await?)
    }

    async fn set_status(&self, user: &UserId, status: PresenceStatus) -> Result<(), StoreError> {
        Ok(self.member.presence.set_status(user, status).await?)
    }

    async fn statuses(
        &self,
        users: &[UserId],
    ) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        Ok(self.member.presence.statuses(users).await?)
    }

    async fn online(&self, limit: usize) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        Ok(self.member.presence.online(limit).await?)
    }
}
