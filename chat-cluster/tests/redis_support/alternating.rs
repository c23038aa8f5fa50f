use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chat_cluster::RedisCluster;
use chat_core::presence::{Entered, Lease, PresenceStore};
use chat_core::proto::{NodeId, PresenceStatus, UserId};
use chat_core::store::StoreError;

/// Presence of which each call goes to another member than the one before.
#[derive(Debug)]
pub(crate) struct Alternating {
    members: [RedisCluster; 2],
    second: AtomicBool,
}

impl Alternating {
    pub(crate) fn new(one: RedisCluster, other: RedisCluster) -> Self {
        Self { members: [one, other], second: AtomicBool::new(false) }
    }

    fn next(&self) -> &dyn PresenceStore {
        &self.members[usize::from(self.second.fetch_xor(true, Ordering::Relaxed))]
    }
}

#[async_trait]
impl PresenceStore for Alternating {
    async fn enter(
        &self,
        node: NodeId,
        user: &UserId,
        devices: u32,
        shown: PresenceStatus,
        lease: Duration,
    ) -> Result<Entered, StoreError> {
        self.next().enter(node, user, devices, shown, lease).await
    }

    async fn leave(&self, node: NodeId, user: &UserId) -> Result<bool, StoreError> {
        self.next().leave(node, user).await
    }

    async fn renew(&self, node: NodeId, lease: Duration) -> Result<Lease, StoreError> {
        self.next().renew(node, lease).await
    }

    async fn expire(&self) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        self.next().expire().await
    }

    async fn set_status(&self, user: &UserId, status: PresenceStatus) -> Result<(), StoreError> {
        self.next().set_status(user, status).await
    }

    async fn statuses(
        &self,
        users: &[UserId],
    ) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        self.next().statuses(users).await
    }

    async fn online(&self, limit: usize) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        self.next().online(limit).await
    }
}
