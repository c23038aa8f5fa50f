//! What nodes tell each other.

use bytes::Bytes;
use chat_proto::{
    ChangeEvent, ConversationId, LoginSessionId, NodeId, PresenceEntry, SignalEvent, UserId,
};
use serde::{Deserialize, Serialize};

use crate::hub::Origin;

/// A message between nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    /// Who sends it; a node lets go of its own.
    pub(crate) node: NodeId,
    /// The session that caused it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) origin: Option<Origin>,
    pub(crate) notice: Notice,
}

/// What happened on the sending node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Notice {
    /// A conversation has changed.
    Change(ChangeEvent),
    /// A conversation has come to this change, which is too large to travel: whoever wants it reads
    /// the store.
    Reached { conversation: ConversationId, change_seq: u64 },
    /// Something to be shown to a conversation's members, but not to the user it is about.
    Signal { conversation: ConversationId, about: UserId, event: SignalEvent },
    /// A user has read on in a conversation: the user's devices are to be told what is left.
    ReadOn { conversation: ConversationId },
    /// Something for one user's devices.
    ToUser(SignalEvent),
    /// A user has become a member of a conversation, by this change.
    Appeared { conversation: ConversationId, joined: u64 },
    /// A user came or went; told to these users, or to all.
    Presence { entry: PresenceEntry, audience: Option<Vec<UserId>> },
    /// The same while the store is away: told to who is connected and told of these conversations.
    PresenceIn { entry: PresenceEntry, conversations: Vec<ConversationId> },
    /// These users have joined a conversation and are online; told to its members.
    Newcomers { conversation: ConversationId, entries: Vec<PresenceEntry> },
    /// Logins of a user have ended, and their connections must.
    LoginsEnded(Vec<LoginSessionId>),
}

impl Envelope {
    pub(crate) fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("envelopes are plain data").into()
    }

    pub(crate) fn decode(payload: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(payload)
    }
}
