use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use chat_proto::{NodeId, PresenceStatus, UserId};

use crate::store::StoreError;

/// Whether a node's lease was in force when it was renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// It was: the node's users are those that entered and have not left.
    Kept,
    /// It was not: it had never begun, had run out, or was forgotten. Users that the node entered
    /// before may have been declared gone, and have to enter again.
    Begun,
}

/// What came of [`PresenceStore::enter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entered {
    /// Whether the user was on no node before.
    pub came_online: bool,
    /// How many devices the user now has on all nodes.
    pub devices: u64,
    /// Whether the node's lease was in force.
    pub lease: Lease,
}

/// Who is online on which node, shared by all nodes.
///
/// A node holds one lease for all its users. When it dies, the lease runs out, and its users are no
/// longer online there. A node's id names one run of it: a node that starts again has another.
///
/// To ensure correctness: of calls that run at once, exactly one is told that a user came online or
/// went offline. Leases are measured by one clock, or by how long each node has seen no renewal,
/// never by comparing clocks of several machines.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait PresenceStore: Debug + Send + Sync + 'static {
    /// Records that a user is on a node with so many devices, in place of what was recorded of the two
    /// before, and renews the node's lease. A user without a device is online all the same: who has
    /// lost the last one has a moment to come back.
    ///
    /// A user who comes online by that is shown as `shown` from the first moment on: nobody sees one
    /// who wants to be invisible. Of one who is online already, `shown` changes nothing.
    async fn enter(
        &self,
        node: NodeId,
        user: &UserId,
        devices: u32,
        shown: PresenceStatus,
        lease: Duration,
    ) -> Result<Entered, StoreError>;

    /// Records that a user is no longer on a node. Returns whether the user is now on no node,
    /// having been on this one.
    async fn leave(&self, node: NodeId, user: &UserId) -> Result<bool, StoreError>;

    /// Renews a node's lease. A shorter one takes the place of a longer one: a node that ends hands
    /// its users over that way, to wherever they come back to until then.
    async fn renew(&self, node: NodeId, lease: Duration) -> Result<Lease, StoreError>;

    /// Forgets nodes whose lease has run out, and returns the users who are thereby on no node, with
    /// how each was shown until then: each to one caller only.
    async fn expire(&self) -> Result<Vec<(UserId, PresenceStatus)>, StoreError>;

    /// Sets how a user is shown while online. Forgotten when the user goes offline.
    async fn set_status(&self, user: &UserId, status: PresenceStatus) -> Result<(), StoreError>;

    /// How those of these users who are online are shown, in any order.
    async fn statuses(&self, users: &[UserId])
    -> Result<Vec<(UserId, PresenceStatus)>, StoreError>;

    /// Up to `limit` users who are online, in any order.
    async fn online(&self, limit: usize) -> Result<Vec<(UserId, PresenceStatus)>, StoreError>;
}
