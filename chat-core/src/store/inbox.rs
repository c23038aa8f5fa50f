use async_trait::async_trait;
use chat_proto::{ConversationId, ConversationSummary, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Changes, Head, Membership, StoreError, only};

/// A place in a user's list of conversations, which is sorted by the number of the last activity, the
/// highest first; then by its time, for those that have no number from before there were any; and then
/// by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InboxPosition {
    /// The [activity](ConversationSummary::activity) of the last conversation.
    pub activity: u64,
    /// When the last conversation was last active.
    pub last_activity_at: Timestamp,
    /// The last conversation's id.
    pub id: ConversationId,
}

impl InboxPosition {
    /// Where a conversation is.
    #[must_use]
    pub const fn of(summary: &ConversationSummary) -> Self {
        Self {
            activity: summary.activity,
            last_activity_at: summary.last_activity_at,
            id: summary.conversation_id,
        }
    }
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
    /// What was counted: the sum of the last change number of each of the user's conversations, in the
    /// snapshot in which the rest was counted. It grows with every change of any of them.
    #[serde(default)]
    pub through: u64,
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

/// How far a user's device knows some conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Whose device.
    pub user_id: UserId,
    /// Conversations, each at most once, with the last change known of each.
    pub changes: Vec<(ConversationId, u64)>,
}

/// What a member missed in one conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Missed {
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// The number of its last change.
    pub change_seq: u64,
    /// What has changed since the one that was known, or the beginning of that; none where nothing
    /// was read.
    pub changes: Option<Changes>,
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

    /// Of each of these users, in their order: all memberships with their heads, and the first
    /// `limit` [`summaries`](InboxStore::summaries). One question for all who connect in one moment.
    ///
    /// To ensure correctness: all that is told of one user is read from one snapshot.
    async fn overviews(&self, users: &[UserId], limit: usize) -> Result<Vec<Overview>, StoreError>;

    /// The overview of one user.
    async fn overview(&self, user: &UserId, limit: usize) -> Result<Overview, StoreError> {
        only(self.overviews(std::slice::from_ref(user), limit).await?)
    }

    /// Tells members what they missed. Of each question, in their order: those of its conversations
    /// of which the user is a member, in the order asked, and how far each has come.
    ///
    /// With the first of them comes what has changed. `limit` changes are counted out over the
    /// conversations of one question, by their numbers: a conversation has
    /// [`changes`](Missed::changes) up to the number at which that many are counted, and what comes
    /// after is counted no further. One that has gone on by more than `max_gap` changes, or that is
    /// said to be known further than it has come, is passed over.
    ///
    /// To ensure correctness: all that is told of one conversation is read from one snapshot.
    async fn missed(
        &self,
        questions: &[Known],
        max_gap: u64,
        limit: usize,
    ) -> Result<Vec<Vec<Missed>>, StoreError>;
}
