use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::FrameId;
use crate::{
    Conversation, ConversationId, ConversationSummary, Cursor, ErrorCode, Heartbeat, HistoryPage,
    Limits, MemberProfile, Message, Page, PresenceEntry, SessionId, User,
};

/// A frame from the server that is not an event: the greeting, or an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type")]
pub enum ServerFrame {
    /// The first frame of every authenticated connection.
    #[serde(rename = "session.ready")]
    Ready {
        /// What the client needs to begin.
        payload: Box<Ready>,
    },
    /// A command was carried out.
    #[serde(rename = "reply")]
    Reply {
        /// The command's `id`.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<FrameId>,
        /// What came of it.
        payload: Box<Reply>,
    },
    /// A command was refused.
    #[serde(rename = "error")]
    Error {
        /// The command's `id`, if it could be read.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<FrameId>,
        /// Why.
        payload: ErrorPayload,
    },
}

impl ServerFrame {
    /// Writes the frame.
    ///
    /// # Panics
    ///
    /// Never: frames are plain data.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("frames are plain data")
    }
}

/// The payload of `session.ready`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// This connection.
    pub session_id: SessionId,
    /// Who is connected.
    pub user: User,
    /// The server's clock.
    pub server_time: Timestamp,
    /// What the client may send.
    pub limits: Limits,
    /// When the server pings.
    pub heartbeat: Heartbeat,
    /// The user's most recently active conversations, newest first, at most 200.
    pub conversations: Vec<ConversationSummary>,
    /// Where `conversation.list` goes on after these; absent when there are no more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_cursor: Option<Cursor>,
    /// Whether the user has more conversations than these.
    pub has_more: bool,
    /// Who is online among the users whose presence this one may see, at most 1,000.
    pub presence: Vec<PresenceEntry>,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Reply {
    /// Of `message.send`: the message is stored durably.
    #[serde(rename_all = "camelCase")]
    Sent {
        /// The message; the original one when the send was a repeat.
        message: Message,
        /// Whether this send was a repeat of an earlier one.
        repeated: bool,
        /// Whether the other user of a direct conversation is online; absent in a room.
        #[serde(skip_serializing_if = "Option::is_none")]
        recipient_online: Option<bool>,
    },
    /// Of `history.load`.
    History(HistoryPage),
    /// Of `conversation.show`, `conversation.open`, `conversation.create` and `conversation.join`.
    Conversation {
        /// The conversation, as this user sees it.
        conversation: Box<ConversationSummary>,
    },
    /// Of `conversation.list`.
    Conversations(Page<ConversationSummary>),
    /// Of `conversation.members`.
    Members(Page<MemberProfile>),
    /// Of `room.list`.
    Rooms(Page<Conversation>),
    /// Of `receipt.read` and `receipt.delivered`.
    #[serde(rename_all = "camelCase")]
    Receipt {
        /// How many messages of others the cursor moved over.
        read: u64,
        /// Where the cursor now stands.
        seq: u64,
        /// What is unread in the conversation now.
        unread: u64,
        /// The `seq` of the last message that was looked at: later ones are not counted.
        through_seq: u64,
    },
    /// Of `presence.list`.
    Presence {
        /// Who is online, at most 1,000.
        presence: Vec<PresenceEntry>,
    },
    /// Of `session.resume`: everything missed has been sent before this.
    Resumed {
        /// How many changes were replayed.
        replayed: u64,
        /// Conversations that were not replayed, because too much was missed or the user is no
        /// longer a member: load them afresh.
        reset: Vec<ConversationId>,
    },
    /// Of `ping`.
    #[serde(rename_all = "camelCase")]
    Pong {
        /// The server's clock.
        server_time: Timestamp,
    },
    /// Of everything else: done.
    Done {},
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorPayload {
    /// What programs match on.
    pub code: ErrorCode,
    /// What happened and what to do, for people.
    pub message: String,
    /// Whether the same command can succeed later.
    pub retryable: bool,
    /// The field of the payload that is to blame, where it is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub field: Option<String>,
    /// When to try again, in milliseconds from now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
}

impl ErrorPayload {
    /// A refusal without a time to try again.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let (message, retryable) = (message.into(), code.is_retryable());
        Self { code, message, retryable, field: None, retry_after_ms: None }
    }
}
