use async_trait::async_trait;
use chat_proto::{ConversationId, UserId};

use super::{Aggregate, StoreError};

/// Which of a member's two cursors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CursorKind {
    /// How far the user has read. What is read is delivered, too.
    Read,
    /// How far the user's devices have received.
    Delivered,
}

/// Where a cursor stands after it was asked to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorAdvance {
    /// Where it stood before.
    pub from: u64,
    /// Where it stands now, never before `from`.
    pub to: u64,
    /// How many messages of others lie in between.
    pub passed: u64,
    /// What is unread now: messages of others after the read cursor, counted up to 100.
    pub unread: u64,
    /// How many messages after the read cursor mention the member, counted up to 100.
    pub unread_mentions: u64,
    /// The last message that was looked at for these counts, which are those of one snapshot.
    pub counted_through: u64,
}

/// How far each member has come.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait CursorStore: Aggregate {
    /// Moves a joined member's cursor forward to `seq`, or to the conversation's last message when
    /// `seq` is none or beyond it. A cursor never moves back. Moving the read cursor moves the
    /// delivered one to at least the same place.
    ///
    /// None when the user is not a member.
    async fn advance(
        &self,
        conversation: ConversationId,
        user: &UserId,
        kind: CursorKind,
        seq: Option<u64>,
    ) -> Result<Option<CursorAdvance>, StoreError>;
}
