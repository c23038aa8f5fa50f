use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ConversationId, User, UserId};

/// What a member may do, from most to least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MemberRole {
    /// Reads and writes.
    Member,
    /// Opened the room.
    Owner,
}

/// Where a user stands towards a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MemberState {
    /// Takes part.
    Joined,
    /// Took part once. The record stays, so that leaving can be told to who was away.
    Left,
}

/// One user's membership of one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Of which conversation.
    pub conversation_id: ConversationId,
    /// Who.
    pub user_id: UserId,
    /// What the member may do.
    pub role: MemberRole,
    /// Whether the membership is in force.
    pub state: MemberState,
    /// The number of the change that brought it about.
    pub change_seq: u64,
    /// When the user first joined.
    pub joined_at: Timestamp,
}

/// A membership together with who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberProfile {
    /// The membership.
    #[serde(flatten)]
    pub member: Member,
    /// The user.
    pub user: User,
}
