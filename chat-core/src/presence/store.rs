use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use chat_proto::{NodeId, PresenceStatus, UserId};

use crate::store::StoreError;

/// Who is online on which node, shared by all nodes.
///
/// A node holds one lease for all its users. When it dies, the lease runs out, and its users are no
/// longer online there.
///
/// To ensure correctness: of calls that run at once, exactly one is told that a user came online or
/// went offline.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait PresenceStore: Debug + Send + Sync + 'static {
    /// Records that a user is on a node, and renews the node's lease. Returns whether the user was
    /// on no node before.
    async fn enter(&self, node: NodeId, user: &UserId, lease: Duration)
    -> Result<bool, StoreError>;

    /// Records that a user is no longer on a node. Returns whether the user is now on no node,
    /// having been on this one.
    async fn leave(&self, node: NodeId, user: &UserId) -> Result<bool, StoreError>;

    /// Renews a node's lease.
    async fn renew(&self, node: NodeId, lease: Duration) -> Result<(), StoreError>;

    /// Forgets nodes whose lease has run out, and returns the users who are thereby on no node:
    /// each to one caller only.
    async fn expire(&self) -> Result<Vec<UserId>, StoreError>;

    /// Sets how a user is shown while online. Forgotten when the user goes offline.
    async fn set_status(&self, user: &UserId, status: PresenceStatus) -> Result<(), StoreError>;

    /// How those of these users who are online are shown, in any order.
    async fn statuses(&self, users: &[UserId])
    -> Result<Vec<(UserId, PresenceStatus)>, StoreError>;

    /// Up to `limit` users who are online, in any order.
    async fn online(&self, limit: usize) -> Result<Vec<(UserId, PresenceStatus)>, StoreError>;
}
