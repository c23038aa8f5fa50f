//! The store and the presence store in memory keep the promises of their traits.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::sync::Arc;
use std::time::Duration;

use chat_core::presence::PresenceStore;
use chat_core::proto::{NodeId, PresenceStatus, UserId};
use chat_core::{MemoryPresence, MemoryStore};

async fn empty_store() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new())
}

async fn nobody() -> Arc<MemoryPresence> {
    Arc::new(MemoryPresence::new())
}

chat_core::testing::store_conformance!(empty_store);
chat_core::testing::uncached_store_conformance!(empty_store);
chat_core::testing::account_conformance!(empty_store);
chat_core::testing::presence_conformance!(nobody);

#[tokio::test(start_paused = true)]
async fn a_lease_runs_out_when_its_time_has_come() {
    let presence = MemoryPresence::new();
    let other_node = presence.clone();
    let (node, ada): (NodeId, UserId) = (NodeId::generate(), "ada".parse().unwrap());
    let lease = Duration::from_secs(20);
    presence.enter(node, &ada, 1, PresenceStatus::Online, lease).await.unwrap();
    for _ in 0..3 {
        tokio::time::advance(lease - Duration::from_millis(1)).await;
        assert!(other_node.expire().await.unwrap().is_empty());
        presence.renew(node, lease).await.unwrap();
    }
    tokio::time::advance(lease).await;
    assert!(other_node.online(1).await.unwrap().is_empty(), "offline even before it is told");
    assert_eq!(other_node.expire().await.unwrap(), [(ada, PresenceStatus::Online)]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_before_the_end_was_told_is_told_as_an_arrival_and_not_as_gone() {
    let presence = MemoryPresence::new();
    let (dead, living): (NodeId, NodeId) = (NodeId::generate(), NodeId::generate());
    let ada: UserId = "ada".parse().unwrap();
    let lease = Duration::from_secs(20);
    presence.enter(dead, &ada, 1, PresenceStatus::Online, lease).await.unwrap();
    tokio::time::advance(lease).await;
    assert!(
        presence.enter(living, &ada, 1, PresenceStatus::Online, lease).await.unwrap().came_online
    );
    assert!(presence.leave(living, &ada).await.unwrap());
    assert!(presence.expire().await.unwrap().is_empty());
}
