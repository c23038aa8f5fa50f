use async_trait::async_trait;
use chat_proto::{Conversation, ConversationId, RoomName, Topic, UserId, Visibility};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Aggregate, StoreError};

/// A direct conversation to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDirect {
    /// The id it gets if it is new.
    pub id: ConversationId,
    /// Who opens it.
    pub opener: UserId,
    /// With whom; never the opener.
    pub peer: UserId,
    /// Now.
    pub created_at: Timestamp,
    /// How many [chosen](super::MemberStore::chosen) memberships the opener may have, with this one.
    pub max_memberships: usize,
}

/// A room to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoom {
    /// The id it gets.
    pub id: ConversationId,
    /// Its name; other rooms may have the same.
    pub name: RoomName,
    /// What it is about.
    pub topic: Option<Topic>,
    /// Who finds and enters it.
    pub visibility: Visibility,
    /// Who makes it, and becomes its owner.
    pub owner: UserId,
    /// Now.
    pub created_at: Timestamp,
    /// How many [chosen](super::MemberStore::chosen) memberships the owner may have, with this one.
    pub max_memberships: usize,
}

/// What came of opening a conversation or making a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenOutcome {
    /// There was one already; nothing changed.
    Existing(Conversation),
    /// It is made, with its first members.
    Created(Conversation),
    /// There was none, and whoever asked has as many memberships as allowed. Nothing was recorded.
    TooMany,
}

impl OpenOutcome {
    /// The conversation that was found or made.
    #[must_use]
    pub fn conversation(self) -> Option<Conversation> {
        match self {
            Self::Existing(conversation) | Self::Created(conversation) => Some(conversation),
            Self::TooMany => None,
        }
    }

    /// Whether a conversation was made.
    #[must_use]
    pub const fn is_created(&self) -> bool {
        matches!(self, Self::Created(_))
    }
}

/// A place in the list of public rooms, which is sorted by [`RoomName::key`] and then by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoomPosition {
    /// The key of the last room's name.
    pub key: String,
    /// The last room's id.
    pub id: ConversationId,
}

/// Conversations: direct ones and rooms.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait ConversationStore: Aggregate {
    /// The direct conversation of two users, made if they have none.
    ///
    /// A new one has both as members: the opener joins as change 1, the peer as change 2.
    ///
    /// To ensure correctness: a pair has one direct conversation, whoever of the two opens it and
    /// however many calls run at once. The opener's memberships are counted in the transaction that
    /// adds one, so that calls at once keep to `max_memberships` together, whatever each of them opens,
    /// makes or joins.
    async fn open_direct(&self, direct: NewDirect) -> Result<OpenOutcome, StoreError>;

    /// The direct conversation of two users, whichever of them opened it.
    async fn direct(&self, a: &UserId, b: &UserId) -> Result<Option<Conversation>, StoreError>;

    /// Makes a room. Its owner joins as change 1. The owner's memberships are counted as
    /// [`open_direct`](ConversationStore::open_direct) counts them. Never [`OpenOutcome::Existing`].
    async fn create_room(&self, room: NewRoom) -> Result<OpenOutcome, StoreError>;

    /// The oldest public room whose [`RoomName::key`] is that of `room`, made if there is none.
    ///
    /// To ensure correctness: calls that run at once make at most one room. The owner joins a room
    /// that is made as change 1, and does not join one that is found. The owner's memberships are
    /// counted where a room is made, as [`open_direct`](ConversationStore::open_direct) counts them.
    async fn find_or_create_room(&self, room: NewRoom) -> Result<OpenOutcome, StoreError>;

    /// The oldest public room whose [`RoomName::key`] is this.
    async fn room_by_name(&self, key: &str) -> Result<Option<Conversation>, StoreError>;

    /// The conversation with this id, with its number of joined members.
    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError>;

    /// Up to `limit` public rooms after a place, in the order of [`RoomPosition`].
    async fn public_rooms(
        &self,
        after: Option<RoomPosition>,
        limit: usize,
    ) -> Result<Vec<Conversation>, StoreError>;

    /// The conversations of the latest messages, by the ids of messages, the latest first, and at
    /// most `limit`: what is likely to be asked for next. An implementation may look at no more
    /// than a few thousand messages, and so find fewer than there are.
    async fn recent(&self, limit: usize) -> Result<Vec<Conversation>, StoreError>;
}
