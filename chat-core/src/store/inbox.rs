use async_trait::async_trait;
use chat_proto::{ConversationId, ConversationSummary, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Head, Membership, StoreError};

/// A place in a user's list of conversations, which is sorted by the time of the last activity,
/// newest first, and then by id, highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxPosition {
    /// When the last conversation was last active.
    pub last_activity_at: Timestamp,
    /// The last conversation's id.
    pub id: ConversationId,
}

/// What a user has not read, in all conversations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnreadTotal {
    /// Messages of others: the sum of each conversation's count, which stops at 100.
    pub unread: u64,
    /// Messages that mention the user, likewise.
    pub unread_mentions: u64,
    /// Conversations that hold any of them.
    pub conversations: u64,
}

/// A membership in force, and how far its conversation has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The membership.
    pub membership: Membership,
    /// The conversation's head.
    pub head: Head,
}

/// What a device is told when it connects, read from one snapshot.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overview {
    /// All memberships in force, in any order.
    pub standings: Vec<Standing>,
    /// The first page of the list of conversations.
    pub summaries: Vec<ConversationSummary>,
}

/// Conversations as one member sees them.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait InboxStore: Aggregate {
    /// Up to `limit` conversations of which the user is a member, after a place, in the order of
    /// [`InboxPosition`]. The number of statements does not depend on the number of conversations.
    async fn summaries(
        &self,
        user: &UserId,
        after: Option<InboxPosition>,
        limit: usize,
    ) -> Result<Vec<ConversationSummary>, StoreError>;

    /// One conversation, if the user is a member.
    async fn summary(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<ConversationSummary>, StoreError>;

    /// What the user has not read.
    async fn unread_total(&self, user: &UserId) -> Result<UnreadTotal, StoreError>;

    /// All of the user's memberships with their heads, and the first `limit`
    /// [`summaries`](InboxStore::summaries).
    ///
    /// To ensure correctness: all of the answer is read from one snapshot.
    async fn overview(&self, user: &UserId, limit: usize) -> Result<Overview, StoreError>;
}
