use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ClientId, ConversationId, MessageBody, MessageId, UserId};

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Which message.
    pub id: MessageId,
    /// Where it was sent.
    pub conversation_id: ConversationId,
    /// Its place among the conversation's messages: 1, 2, 3 … without a hole.
    pub seq: u64,
    /// The number of the change of the conversation that touched it last.
    pub change_seq: u64,
    /// Who sent it.
    pub sender_id: UserId,
    /// The sender's own id for it: a repeated send with the same one is this message.
    pub client_id: ClientId,
    /// The text, as it was written.
    pub content: MessageBody,
    /// The members that the text mentions by `@username`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub mentions: Vec<UserId>,
    /// When the server accepted it.
    pub created_at: Timestamp,
}

/// The last message of a conversation, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessagePreview {
    /// Its `seq`.
    pub seq: u64,
    /// Who sent it.
    pub sender_id: UserId,
    /// The first [`MessagePreview::CHARACTERS`] characters of its text.
    pub content: String,
    /// When the server accepted it.
    pub created_at: Timestamp,
}

impl MessagePreview {
    /// How many characters of a message a list shows.
    pub const CHARACTERS: usize = 120;
}

impl From<&Message> for MessagePreview {
    fn from(message: &Message) -> Self {
        Self {
            seq: message.seq,
            sender_id: message.sender_id.clone(),
            content: message.content.excerpt(Self::CHARACTERS),
            created_at: message.created_at,
        }
    }
}
