use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::fields::{WrongField, read_fields};

use crate::{
    ClientId, ConversationId, Cursor, PresenceStatus, RoomName, Topic, UserId, Visibility,
};

/// What a client asks for. Each variant is one `type` of frame.
///
/// Commands are written and read as `{"type": …, "payload": …}`; a command without fields may leave
/// the payload out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", content = "payload")]
#[non_exhaustive]
pub enum Command {
    /// Says who connects, when the handshake did not. The first frame, or none.
    #[serde(rename = "session.authenticate")]
    Authenticate {
        /// A bearer token.
        token: BearerToken,
    },
    /// Asks for what was missed since the given `changeSeq` of each conversation.
    #[serde(rename = "session.resume")]
    Resume {
        /// The last `changeSeq` known of each conversation.
        cursors: HashMap<ConversationId, u64>,
    },
    /// Sends a message.
    #[serde(rename = "message.send")]
    MessageSend(MessageSend),
    /// Loads a page of messages.
    #[serde(rename = "history.load")]
    HistoryLoad(HistoryRequest),
    /// Says that the user is typing. Repeat it every `limits.typingResendMs` while it is so.
    #[serde(rename = "typing.start", rename_all = "camelCase")]
    TypingStart {
        /// Where.
        conversation_id: ConversationId,
    },
    /// Says that the user has stopped typing.
    #[serde(rename = "typing.stop", rename_all = "camelCase")]
    TypingStop {
        /// Where.
        conversation_id: ConversationId,
    },
    /// Says that the user has read up to a message.
    #[serde(rename = "receipt.read", rename_all = "camelCase")]
    ReceiptRead {
        /// Where.
        conversation_id: ConversationId,
        /// The `seq` of the last message read; the last of all when left out.
        seq: Option<u64>,
    },
    /// Says that the device has received up to a message.
    #[serde(rename = "receipt.delivered", rename_all = "camelCase")]
    ReceiptDelivered {
        /// Where.
        conversation_id: ConversationId,
        /// The `seq` of the last message received; the last of all when left out.
        seq: Option<u64>,
    },
    /// Asks for one of the user's conversations, such as one that an event told of.
    #[serde(rename = "conversation.show", rename_all = "camelCase")]
    ConversationShow {
        /// Which one.
        conversation_id: ConversationId,
    },
    /// Opens the direct conversation with a user, which is made on first use.
    #[serde(rename = "conversation.open")]
    ConversationOpen(PeerTarget),
    /// Makes a room.
    #[serde(rename = "conversation.create")]
    ConversationCreate(CreateRoom),
    /// Joins a public room.
    #[serde(rename = "conversation.join")]
    ConversationJoin(ConversationTarget),
    /// Leaves a room.
    #[serde(rename = "conversation.leave", rename_all = "camelCase")]
    ConversationLeave {
        /// Which room.
        conversation_id: ConversationId,
        /// Whether leaving is meant although the user is the last member.
        #[serde(default, skip_serializing_if = "is_false")]
        confirm: bool,
    },
    /// Lists the user's conversations, the most recently active first.
    #[serde(rename = "conversation.list")]
    ConversationList {
        /// Where to go on.
        cursor: Option<Cursor>,
        /// How many, at most `limits.pageMax`.
        limit: Option<usize>,
    },
    /// Lists the members of a conversation.
    #[serde(rename = "conversation.members", rename_all = "camelCase")]
    ConversationMembers {
        /// Of which conversation.
        conversation_id: ConversationId,
        /// Where to go on.
        cursor: Option<Cursor>,
        /// How many, at most `limits.pageMax`.
        limit: Option<usize>,
    },
    /// Lists the public rooms.
    #[serde(rename = "room.list")]
    RoomList {
        /// Where to go on.
        cursor: Option<Cursor>,
        /// How many, at most `limits.pageMax`.
        limit: Option<usize>,
    },
    /// Sets how the user is shown while online.
    #[serde(rename = "presence.set")]
    PresenceSet {
        /// `online`, `away` or `invisible`.
        status: PresenceStatus,
    },
    /// Asks who is online among the users whose presence this user may see.
    #[serde(rename = "presence.list")]
    PresenceList {},
    /// Asks for nothing but an answer.
    #[serde(rename = "ping")]
    Ping {},
}

/// A bearer token in a frame. It is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BearerToken(String);

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(…)")
    }
}

impl From<String> for BearerToken {
    fn from(token: String) -> Self {
        Self(token)
    }
}

impl From<BearerToken> for String {
    fn from(token: BearerToken) -> Self {
        token.0
    }
}

/// The payload of `message.send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageSend {
    /// Where to.
    pub conversation_id: ConversationId,
    /// The sender's own id for the message. Without one, a repeated send is another message.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_id: Option<ClientId>,
    /// The text.
    pub content: String,
}

/// The payload of `history.load`. At most one of `before`, `after`, `around`, `offset` and
/// `cursor` says where; without any, the page ends with the last message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryRequest {
    /// Of which conversation.
    pub conversation_id: ConversationId,
    /// The messages before this `seq`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<u64>,
    /// The messages after this `seq`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<u64>,
    /// This `seq`, with as many before it as after it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub around: Option<u64>,
    /// The messages before the last so many: for forums that number their pages.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offset: Option<u64>,
    /// Where a former page left off.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cursor: Option<Cursor>,
    /// How many, at most `limits.pageMax`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<usize>,
}

impl HistoryRequest {
    /// Asks for the last page.
    #[must_use]
    pub const fn latest(conversation_id: ConversationId) -> Self {
        Self {
            conversation_id,
            before: None,
            after: None,
            around: None,
            offset: None,
            cursor: None,
            limit: None,
        }
    }
}

/// The payload of `conversation.open`: a user, by id or by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerTarget {
    /// The user's id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_id: Option<UserId>,
    /// The user's name, used when there is no id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub username: Option<String>,
}

/// The payload of `conversation.create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateRoom {
    /// `room`, which is what it means when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<crate::ConversationKind>,
    /// The room's name.
    pub name: RoomName,
    /// Who finds and enters it; `public` when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub visibility: Option<Visibility>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub topic: Option<Topic>,
}

/// The payload of `conversation.join`: a room, by id or by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationTarget {
    /// The room's id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation_id: Option<ConversationId>,
    /// The name of a public room, used when there is no id. Where the server makes rooms on first
    /// join, an unknown name makes one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<RoomName>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    conversation_id: ConversationId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Leaving {
    conversation_id: ConversationId,
    #[serde(default)]
    confirm: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    conversation_id: ConversationId,
    seq: Option<u64>,
}

#[derive(Deserialize)]
struct Paging {
    cursor: Option<Cursor>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MembersPaging {
    conversation_id: ConversationId,
    cursor: Option<Cursor>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
struct Token {
    token: BearerToken,
}

#[derive(Deserialize)]
struct Cursors {
    cursors: HashMap<ConversationId, u64>,
}

#[derive(Deserialize)]
struct Status {
    status: PresenceStatus,
}

#[derive(Deserialize)]
struct Nothing {}

/// Leaves out what is not said.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over like this")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Command {
    /// Reads the payload of a command of type `kind`; none when there is no such command.
    ///
    /// Written out, rather than derived, because a derived enum cannot tell an unknown type from a
    /// wrong payload, and the two have different codes.
    pub(super) fn decode(kind: &str, payload: &str) -> Option<Result<Self, WrongField>> {
        fn read<'a, P: Deserialize<'a>>(
            payload: &'a str,
            make: impl FnOnce(P) -> Command,
        ) -> Option<Result<Command, WrongField>> {
            Some(read_fields(payload).map(make))
        }

        match kind {
            "message.send" => read(payload, Self::MessageSend),
            "history.load" => read(payload, Self::HistoryLoad),
            "receipt.read" => read(payload, |r: Receipt| Self::ReceiptRead {
                conversation_id: r.conversation_id,
                seq: r.seq,
            }),
            "receipt.delivered" => read(payload, |r: Receipt| Self::ReceiptDelivered {
                conversation_id: r.conversation_id,
                seq: r.seq,
            }),
            "typing.start" => {
                read(payload, |p: Place| Self::TypingStart { conversation_id: p.conversation_id })
            }
            "typing.stop" => {
                read(payload, |p: Place| Self::TypingStop { conversation_id: p.conversation_id })
            }
            "conversation.show" => read(payload, |p: Place| Self::ConversationShow {
                conversation_id: p.conversation_id,
            }),
            "conversation.open" => read(payload, Self::ConversationOpen),
            "conversation.create" => read(payload, Self::ConversationCreate),
            "conversation.join" => read(payload, Self::ConversationJoin),
            "conversation.leave" => read(payload, |p: Leaving| Self::ConversationLeave {
                conversation_id: p.conversation_id,
                confirm: p.confirm,
            }),
            "conversation.list" => read(payload, |p: Paging| Self::ConversationList {
                cursor: p.cursor,
                limit: p.limit,
            }),
            "conversation.members" => read(payload, |p: MembersPaging| Self::ConversationMembers {
                conversation_id: p.conversation_id,
                cursor: p.cursor,
                limit: p.limit,
            }),
            "room.list" => {
                read(payload, |p: Paging| Self::RoomList { cursor: p.cursor, limit: p.limit })
            }
            "presence.set" => read(payload, |s: Status| Self::PresenceSet { status: s.status }),
            "presence.list" => read(payload, |Nothing {}| Self::PresenceList {}),
            "session.resume" => read(payload, |c: Cursors| Self::Resume { cursors: c.cursors }),
            "session.authenticate" => {
                read(payload, |t: Token| Self::Authenticate { token: t.token })
            }
            "ping" => read(payload, |Nothing {}| Self::Ping {}),
            _ => None,
        }
    }
}
