use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ConversationId, MessagePreview, RoomName, Topic, User, UserId};

/// What kind of conversation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ConversationKind {
    /// Between two users, one for each pair.
    Direct,
    /// Between any number of members.
    Room,
}

/// Who finds and enters a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Visibility {
    /// Listed; anyone joins.
    Public,
    /// Known to its members only.
    Private,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    /// Which conversation.
    pub id: ConversationId,
    /// Direct, or a room.
    pub kind: ConversationKind,
    /// Who finds and enters it; a direct conversation is private.
    pub visibility: Visibility,
    /// A room's name; absent for a direct conversation.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "RoomName::recorded"
    )]
    pub name: Option<RoomName>,
    /// What a room is about.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "Topic::recorded"
    )]
    pub topic: Option<Topic>,
    /// Who opened it.
    pub created_by: UserId,
    /// When it was opened.
    pub created_at: Timestamp,
    /// How many users are members now.
    pub member_count: u64,
}

/// A conversation as one member sees it in a list: where it stands, and where that member stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationSummary {
    /// Which conversation: the name that frames use; the same as `id`.
    pub conversation_id: ConversationId,
    /// The conversation.
    #[serde(flatten)]
    pub conversation: Conversation,
    /// The other user of a direct conversation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peer: Option<User>,
    /// The `seq` of its last message; 0 before the first.
    pub last_seq: u64,
    /// The number of its last change.
    pub change_seq: u64,
    /// The `seq` up to which this member has read.
    pub read_seq: u64,
    /// The `seq` up to which this member's devices have received.
    pub delivered_seq: u64,
    /// The `seq` up to which the other user of a direct conversation has read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peer_read_seq: Option<u64>,
    /// The `seq` up to which the other user's devices of a direct conversation have received.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peer_delivered_seq: Option<u64>,
    /// Messages of others after `readSeq`: exact up to 99, and 100 for more.
    pub unread: u64,
    /// How many of them mention this member: exact up to 99, and 100 for more.
    pub unread_mentions: u64,
    /// The last message; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preview: Option<MessagePreview>,
    /// When the last message came, or the conversation was opened: what a list is sorted by.
    pub last_activity_at: Timestamp,
    /// The place in the user's list: of two conversations, the one with the higher number was written
    /// in last. It hangs on no clock.
    #[serde(default)]
    pub activity: u64,
}
