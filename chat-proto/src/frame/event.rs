use serde::{Deserialize, Serialize};

use crate::{
    ConversationId, ConversationSummary, MemberProfile, Message, Page, PresenceEntry, SessionId,
    UserId,
};

/// Something that happened, as a connected device is told.
///
/// The three kinds differ in what happens when a device reads too slowly: a change is never dropped
/// (the connection ends instead, and the device resumes), a state is replaced by a newer one of the
/// same thing, and a signal may be dropped. See [`ChangeEvent`] and [`SignalEvent`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Event {
    /// A change of a conversation: stored, numbered, replayed on resume.
    Change(ChangeEvent),
    /// Anything else: true when it was sent, never replayed.
    Signal(SignalEvent),
}

/// A change of a conversation, numbered by `changeSeq` without a hole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "payload")]
#[non_exhaustive]
pub enum ChangeEvent {
    /// A message was sent.
    #[serde(rename = "message.created", rename_all = "camelCase")]
    MessageCreated {
        /// Where.
        conversation_id: ConversationId,
        /// The number of the change.
        change_seq: u64,
        /// The message.
        message: Message,
    },
    /// A user became a member.
    #[serde(rename = "member.joined", rename_all = "camelCase")]
    MemberJoined {
        /// Of which conversation.
        conversation_id: ConversationId,
        /// The number of the change.
        change_seq: u64,
        /// The new member.
        member: MemberProfile,
    },
    /// A member's record has changed: a role, while the user remains a member.
    #[serde(rename = "member.updated", rename_all = "camelCase")]
    MemberUpdated {
        /// Of which conversation.
        conversation_id: ConversationId,
        /// The number of the change.
        change_seq: u64,
        /// The member as it is now.
        member: MemberProfile,
    },
    /// A member left.
    #[serde(rename = "member.left", rename_all = "camelCase")]
    MemberLeft {
        /// Which conversation.
        conversation_id: ConversationId,
        /// The number of the change.
        change_seq: u64,
        /// The former member.
        member: MemberProfile,
    },
}

impl ChangeEvent {
    /// Where the change happened.
    #[must_use]
    pub const fn conversation_id(&self) -> ConversationId {
        match self {
            Self::MessageCreated { conversation_id, .. }
            | Self::MemberJoined { conversation_id, .. }
            | Self::MemberUpdated { conversation_id, .. }
            | Self::MemberLeft { conversation_id, .. } => *conversation_id,
        }
    }

    /// The number of the change.
    #[must_use]
    pub const fn change_seq(&self) -> u64 {
        match self {
            Self::MessageCreated { change_seq, .. }
            | Self::MemberJoined { change_seq, .. }
            | Self::MemberUpdated { change_seq, .. }
            | Self::MemberLeft { change_seq, .. } => *change_seq,
        }
    }

    /// Writes the frame of this event.
    ///
    /// # Panics
    ///
    /// Never: events are plain data.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("events are plain data")
    }
}

/// Something that is true for now: told to who is connected, and to nobody later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "payload")]
#[non_exhaustive]
pub enum SignalEvent {
    /// A conversation has appeared in the user's list: somebody opened it, or another device
    /// joined it. Its own changes follow as ordinary events.
    #[serde(rename = "conversation.created", rename_all = "camelCase")]
    ConversationCreated {
        /// Which conversation.
        conversation_id: ConversationId,
        /// The conversation, as this user sees it.
        conversation: Box<ConversationSummary>,
        /// The first page of its members; `memberCount` says how many there are.
        members: Page<MemberProfile>,
    },
    /// A member has read up to a message. Of two about one member, the one with the higher `seq` holds.
    #[serde(rename = "receipt.read", rename_all = "camelCase")]
    ReceiptRead {
        /// Where.
        conversation_id: ConversationId,
        /// Who.
        user_id: UserId,
        /// The `seq` of the last message read.
        seq: u64,
    },
    /// A member's device has received up to a message. Of two about one member, the one with the higher
    /// `seq` holds.
    #[serde(rename = "receipt.delivered", rename_all = "camelCase")]
    ReceiptDelivered {
        /// Where.
        conversation_id: ConversationId,
        /// Who.
        user_id: UserId,
        /// The `seq` of the last message received.
        seq: u64,
    },
    /// A member is typing.
    #[serde(rename = "typing.started", rename_all = "camelCase")]
    TypingStarted {
        /// Where.
        conversation_id: ConversationId,
        /// Who.
        user_id: UserId,
        /// Orders what is told of one member's typing: the highest holds. 0 from a server that does
        /// not say.
        #[serde(default)]
        version: u64,
    },
    /// A member is no longer typing.
    #[serde(rename = "typing.stopped", rename_all = "camelCase")]
    TypingStopped {
        /// Where.
        conversation_id: ConversationId,
        /// Who.
        user_id: UserId,
        /// Orders what is told of one member's typing: the highest holds. 0 from a server that does
        /// not say.
        #[serde(default)]
        version: u64,
    },
    /// A user came, went, or is shown differently.
    #[serde(rename = "presence.changed")]
    PresenceChanged(PresenceEntry),
    /// The user's own count has changed, by reading on one of the user's devices.
    #[serde(rename = "unread.changed", rename_all = "camelCase")]
    UnreadChanged {
        /// Where.
        conversation_id: ConversationId,
        /// The `seq` up to which the user has read.
        read_seq: u64,
        /// The `seq` of the last message that was looked at: later ones are not counted.
        #[serde(default)]
        through_seq: u64,
        /// What is left there.
        unread: u64,
        /// What is left there that mentions the user.
        unread_mentions: u64,
        /// What is left in all conversations.
        total_unread: u64,
        /// The sum of the last `changeSeq` of each of the user's conversations when the total was
        /// counted: changes beyond it are not in the total.
        #[serde(default)]
        total_through: u64,
    },
    /// The login session behind this connection has ended; the connection closes.
    #[serde(rename = "session.revoked")]
    SessionRevoked {},
    /// The server is about to end this connection. Reconnect after a random time in the window.
    #[serde(rename = "session.draining", rename_all = "camelCase")]
    SessionDraining {
        /// The window's beginning and end, in milliseconds from now.
        reconnect_after_ms: [u64; 2],
    },
}

impl SignalEvent {
    /// Writes the frame of this event.
    ///
    /// # Panics
    ///
    /// Never: events are plain data.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("events are plain data")
    }
}

impl Event {
    /// Writes the frame of this event.
    #[must_use]
    pub fn encode(&self) -> String {
        match self {
            Self::Change(change) => change.encode(),
            Self::Signal(signal) => signal.encode(),
        }
    }

    /// The same frame as `encoded`, for the user whose own session `origin` caused the event.
    ///
    /// By it a client recognises what it did itself. To all other receivers the frame says nothing
    /// of its origin.
    #[must_use]
    pub fn with_origin(encoded: &str, origin: SessionId) -> String {
        // Every frame is an object with at least its type, so a field can be put in front.
        format!("{{\"origin\":\"{origin}\",{}", &encoded[1..])
    }
}

impl From<ChangeEvent> for Event {
    fn from(change: ChangeEvent) -> Self {
        Self::Change(change)
    }
}

impl From<SignalEvent> for Event {
    fn from(signal: SignalEvent) -> Self {
        Self::Signal(signal)
    }
}
