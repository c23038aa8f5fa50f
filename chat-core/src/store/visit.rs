use std::time::Duration;

use async_trait::async_trait;
use chat_proto::{NodeId, UserId};

use super::{Aggregate, StoreError};

/// Which users are on which node: what is left of a node that dies.
///
/// A user's visit is to the node that recorded it last, and ends by
/// [`record_last_seen`](super::UserStore::record_last_seen). Moments are told by the store's own clock,
/// since clocks of several machines differ.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait VisitStore: Aggregate {
    /// Records that a node lives now, and that these users are on it.
    async fn record_alive(&self, node: NodeId, users: &[UserId]) -> Result<(), StoreError>;

    /// Ends up to `limit` visits to nodes other than `except` that have not been recorded as alive for
    /// as long as `silent`: those users were last seen when their node was last alive, unless they are
    /// recorded as seen later. Returns who they are, each to one caller, and forgets nodes without
    /// visits.
    async fn end_visits(
        &self,
        except: NodeId,
        silent: Duration,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError>;
}
