//! Two nodes as one store, of which each call is made by the other one than the last.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chat_cluster::NatsCluster;
use chat_core::presence::{Entered, Lease, PresenceStore};
use chat_core::proto::{NodeId, PresenceStatus, UserId};
use chat_core::store::StoreError;

#[derive(Debug)]
pub(crate) struct Alternating {
    nodes: [NatsCluster; 2],
    calls: AtomicUsize,
}

impl Alternating {
    /// Begins with the node of this number.
    pub(crate) fn new(one: NatsCluster, two: NatsCluster, first: usize) -> Self {
        Self { nodes: [one, two], calls: AtomicUsize::new(first) }
    }

    fn next(&self) -> &NatsCluster {
        &self.nodes[self.calls.fetch_add(1, Ordering::Relaxed) % 2]
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
