use async_trait::async_trait;
use chat_proto::{
    ConversationId, ConversationSummary, Member, MemberProfile, PresenceStatus, UserId,
};
use jiff::Timestamp;

use super::{Aggregate, StoreError, only};

/// What came of [`MemberStore::join`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinOutcome {
    /// The user is a member now, by the change named in the record. The summary is the room as the
    /// user sees it, read in the transaction of the join.
    Joined(MemberProfile, Box<ConversationSummary>),
    /// The user was a member already; nothing changed.
    Already(MemberProfile, Box<ConversationSummary>),
    /// There is no such conversation, or it is not a public room, or there is no such user.
    NotJoinable,
    /// The user has as many memberships as allowed.
    TooMany,
}

/// What came of [`MemberStore::leave`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaveOutcome {
    /// The user is no member any more.
    Left {
        /// The former member, by the change named in the record.
        member: MemberProfile,
        /// The member who owns the room now, by the change before that one; none unless the user was
        /// its only owner.
        heir: Option<Box<MemberProfile>>,
    },
    /// The user is the last member and did not say that this is meant. Nothing changed.
    LastMember,
    /// The user is not a member.
    NotMember,
}

/// A membership in force.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Membership {
    /// Who.
    pub user_id: UserId,
    /// Of which conversation.
    pub conversation_id: ConversationId,
    /// The change that brought it about.
    pub change_seq: u64,
}

/// Somebody whose presence a user may see.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Contact {
    /// Who.
    pub user_id: UserId,
    /// One of the conversations that both are members of. Nodes with the contact's devices hear what
    /// is told of it.
    pub conversation_id: ConversationId,
}

/// Where a user belongs, whose presence the user may see, and how the user wants to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circle {
    /// All memberships in force, in any order.
    pub memberships: Vec<Membership>,
    /// The contacts.
    pub contacts: Vec<Contact>,
    /// How the user [chose](super::UserStore::choose_presence) to be shown while online.
    pub chosen: PresenceStatus,
}

impl Default for Circle {
    fn default() -> Self {
        let (memberships, contacts) = (Vec::new(), Vec::new());
        Self { memberships, contacts, chosen: PresenceStatus::Online }
    }
}

/// Who takes part in what.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait MemberStore: Aggregate {
    /// Makes a user a member of a public room, unless [`chosen`](MemberStore::chosen) is
    /// `max_memberships` already, however many calls run at once.
    ///
    /// A new member's read and delivered cursors stand at the room's last message, so that nothing
    /// from before counts as unread; who comes back keeps cursors that are further on, and the
    /// role held before, and the time of the first join. Who joins a room that nobody is a member of
    /// becomes its owner.
    async fn join(
        &self,
        conversation: ConversationId,
        user: &UserId,
        at: Timestamp,
        max_memberships: usize,
    ) -> Result<JoinOutcome, StoreError>;

    /// How many memberships in force the user has chosen: those of rooms, and those of direct
    /// conversations that the user opened. What others open counts for them, so that nobody can
    /// use up another's limit.
    async fn chosen(&self, user: &UserId) -> Result<usize, StoreError>;

    /// Ends a membership. The record stays, with its state changed. The last member leaves only with
    /// `even_as_last`.
    ///
    /// A room with members has an owner. When its only owner leaves, the member who joined first owns
    /// it from then on, by a change of its own before that of the leaving; of several who joined at
    /// the same time, the one with the lowest user id. A former owner's record says
    /// [`MemberRole::Member`](chat_proto::MemberRole::Member).
    ///
    /// To ensure correctness: who is last and who inherits is decided in the transaction that ends the
    /// membership, however many leave at once.
    async fn leave(
        &self,
        conversation: ConversationId,
        user: &UserId,
        even_as_last: bool,
    ) -> Result<LeaveOutcome, StoreError>;

    /// The user's membership, if it is in force.
    async fn member(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<Member>, StoreError>;

    /// Up to `limit` joined members whose user id comes after `after`, in the order of user ids.
    async fn members<'a>(
        &self,
        conversation: ConversationId,
        after: Option<&'a UserId>,
        limit: usize,
    ) -> Result<Vec<MemberProfile>, StoreError>;

    /// All memberships in force of these users, in any order.
    async fn memberships(&self, users: &[UserId]) -> Result<Vec<Membership>, StoreError>;

    /// Of each of these users, in their order: all memberships in force, and the contacts. One
    /// question for all who arrive in one moment.
    ///
    /// A user's contacts are up to `limit` other users who share with this one a conversation of at
    /// most `max_members` members: those whose presence this user may see. Each comes once, with one
    /// such conversation, and always the same while nothing changes.
    async fn circles(
        &self,
        users: &[UserId],
        max_members: usize,
        limit: usize,
    ) -> Result<Vec<Circle>, StoreError>;

    /// The contacts of one user, as [`circles`](MemberStore::circles) has them.
    async fn contacts(
        &self,
        user: &UserId,
        max_members: usize,
        limit: usize,
    ) -> Result<Vec<Contact>, StoreError> {
        let circles = self.circles(std::slice::from_ref(user), max_members, limit).await?;
        Ok(only(circles)?.contacts)
    }
}
