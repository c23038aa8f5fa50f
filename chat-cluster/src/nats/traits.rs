//! What the engine asks of a cluster, each with its timeout.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::broker::{Broker, BrokerError, BrokerMessage, Received, Subject};
use chat_core::limit::{LimitKey, Quota, SharedLimits, Verdict};
use chat_core::presence::{Entered, Lease, PresenceStore};
use chat_core::proto::{NodeId, PresenceStatus, UserId};
use chat_core::store::StoreError;

use super::NatsCluster;
use super::error::NatsError;

#[async_trait]
impl Broker for NatsCluster {
    async fn publish(&self, messages: Vec<BrokerMessage>) -> Result<(), BrokerError> {
        Ok(self.call(self.node.events.publish(messages)).await?)
    }

    async fn subscribe(&self, subjects: Vec<Subject>) -> Result<(), BrokerError> {
        Ok(self.call(self.node.events.subscribe(subjects)).await?)
    }

    async fn unsubscribe(&self, subjects: Vec<Subject>) -> Result<(), BrokerError> {
        let unsubscribing = async {
            self.node.events.unsubscribe(&subjects);
            Ok(())
        };
        Ok(self.call(unsubscribing).await?)
    }

    async fn receive(&self) -> Result<Received, BrokerError> {
        self.node.events.receive().await.ok_or_else(|| NatsError::Closed.into())
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        Ok(self.call(self.node.events.probe(&self.node.shared)).await?)
    }

    async fn close(&self) {
        if !self.node.closed.swap(true, Ordering::AcqRel) {
            self.node.events.close().await;
            self.node.shared.end().await;
        }
    }
}

#[async_trait]
impl PresenceStore for NatsCluster {
    async fn enter(
        &self,
        node: NodeId,
        user: &UserId,
        devices: u32,
        shown: PresenceStatus,
        lease: Duration,
    ) -> Result<Entered, StoreError> {
        Ok(self.call(self.node.presence.enter(node, user, devices, shown, lease)).await?)
    }

    async fn leave(&self, node: NodeId, user: &UserId) -> Result<bool, StoreError> {
        Ok(self.call(self.node.presence.leave(node, user)).await?)
    }

    async fn renew(&self, node: NodeId, lease: Duration) -> Result<Lease, StoreError> {
        Ok(self.call(self.node.presence.renew(node, lease)).await?)
    }

    async fn expire(&self) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        // Who was found by a call that is given up is told of by nobody.
        let within = self.node.config.timeout / 2;
        Ok(self.call(self.node.presence.expire(within)).await?)
    }

    async fn set_status(&self, user: &UserId, status: PresenceStatus) -> Result<(), StoreError> {
        Ok(self.call(self.node.presence.set_status(user, status)).await?)
    }

    async fn statuses(
        &self,
        users: &[UserId],
    ) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        Ok(self.call(self.node.presence.statuses(users)).await?)
    }

    async fn online(&self, limit: usize) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        Ok(self.call(self.node.presence.online(limit)).await?)
    }
}

#[async_trait]
impl SharedLimits for NatsCluster {
    async fn count(&self, key: &LimitKey, quota: &Quota) -> Result<Verdict, StoreError> {
        Ok(self.call(self.node.limits.count(key, quota)).await?)
    }
}
