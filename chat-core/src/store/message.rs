use std::ops::RangeInclusive;

use async_trait::async_trait;
use chat_proto::{
    ChangeEvent, ClientId, ConversationId, Mention, Message, MessageBody, MessageId, UserId,
};
use jiff::Timestamp;

use super::{Aggregate, StoreError};

/// A message to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageDraft {
    /// The id it gets if it is new.
    pub id: MessageId,
    /// Where to.
    pub conversation_id: ConversationId,
    /// Who sends it.
    pub sender_id: UserId,
    /// The sender's own id for it.
    pub client_id: ClientId,
    /// The text.
    pub content: MessageBody,
    /// Where the text may mention somebody: the message's mentions are the members whom
    /// [`mentioned`](chat_proto::mentioned) finds.
    pub mentions: Vec<Mention>,
    /// Now.
    pub created_at: Timestamp,
}

/// What came of one draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendOutcome {
    /// The message is stored.
    Stored(Message),
    /// The sender has stored a message with this client id in this conversation before, in an
    /// earlier batch or earlier in this one: here it is, whatever the new draft says.
    Repeated(Message),
    /// There is no such conversation, or the sender is not a member.
    NotMember,
}

/// How far a conversation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// The number of its last message; 0 before the first.
    pub last_seq: u64,
    /// The number of its last change.
    pub change_seq: u64,
}

/// What has changed in a conversation since some change.
///
/// This is the state of what changed, not a log: of a member who joined and left since, only the
/// leaving is told. So the numbers may have holes, and `through` says how far the answer reaches.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// The changes, in the order of their numbers.
    pub events: Vec<ChangeEvent>,
    /// Every change up to this number is told, or overtaken by one that is.
    pub through: u64,
    /// Whether that was the last change when the store was read. If not, ask again from there.
    pub complete: bool,
}

/// Messages, and the changes that a conversation goes through.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait MessageStore: Aggregate {
    /// Stores a batch of messages in one transaction; the outcomes are in the order of the drafts.
    ///
    /// To ensure correctness, in that transaction: each sender's membership is checked; a client
    /// id that the sender has used in the conversation before is answered with the message stored
    /// then; the numbers of the others follow one another in the order of the drafts.
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError>;

    /// The message with this id.
    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError>;

    /// The messages of a conversation whose `seq` is in the range, in its order.
    async fn messages(
        &self,
        conversation: ConversationId,
        seqs: RangeInclusive<u64>,
    ) -> Result<Vec<Message>, StoreError>;

    /// What has changed since change `since`, at most `limit` (at least 1) changes.
    ///
    /// To ensure correctness: all of the answer is read from one snapshot.
    async fn changes(
        &self,
        conversation: ConversationId,
        since: u64,
        limit: usize,
    ) -> Result<Changes, StoreError>;

    /// The heads of these conversations, in any order; unknown ids are left out.
    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Head>, StoreError>;

    /// The head of a conversation, if the user is a member: a page of history begins with it, so
    /// the right and the place are one question.
    async fn visible_head(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<Head>, StoreError>;
}
