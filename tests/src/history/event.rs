use std::collections::{BTreeMap, BTreeSet};

/// A message, as an answer, an event, or the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Its place in the conversation.
    pub seq: u64,
    /// The change that touched it last.
    pub change_seq: u64,
    /// Who sent it.
    pub sender: String,
    /// The sender's own id for it.
    pub client_id: String,
    /// What it says.
    pub content: String,
}

/// What a delivered change says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A message is there.
    Message(Message),
    /// A user has joined or left.
    Member {
        /// Who.
        user: String,
        /// Whether the user is a member now.
        joined: bool,
    },
}

/// Something that a client did or saw. Conversations are called by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It sent a message, for the first time or again.
    Sent {
        /// Where.
        place: String,
        /// Its own id for it.
        client_id: String,
    },
    /// A send was answered: the message is stored.
    Acknowledged {
        /// Where.
        place: String,
        /// What the answer says.
        message: Message,
    },
    /// A send was refused for good.
    Refused {
        /// Its own id for it.
        client_id: String,
        /// Why.
        code: String,
    },
    /// It is about to become a member, or somebody is about to make it one.
    Joining {
        /// Where.
        place: String,
    },
    /// It holds a conversation from this change on: a summary told it so, or it begins anew.
    Holds {
        /// Which.
        place: String,
        /// The change that it knows.
        change_seq: u64,
    },
    /// Its leaving was answered: nothing more of the conversation is for it.
    Left {
        /// Which.
        place: String,
    },
    /// It was greeted: a session has begun.
    Greeted {
        /// How far each of its conversations was.
        heads: BTreeMap<String, u64>,
        /// Who is online.
        online: BTreeSet<String>,
    },
    /// It asks for what it missed after these changes.
    Resuming {
        /// The change that it knows of each conversation.
        cursors: BTreeMap<String, u64>,
    },
    /// It was told all that it missed, but for conversations that are too far behind.
    Resumed {
        /// Which these are.
        reset: Vec<String>,
    },
    /// A change was delivered.
    Delivered {
        /// Of which conversation.
        place: String,
        /// The number of the change, beside what it says.
        change_seq: u64,
        /// What it says.
        change: Change,
    },
    /// A user was said to have come or gone.
    Presence {
        /// Who.
        user: String,
        /// Whether the user is there, away or not.
        online: bool,
    },
    /// It asked who is online, when all was meant to have settled.
    Online {
        /// Who is, beside itself.
        users: BTreeSet<String>,
    },
    /// It read a conversation from its first message to its last, when all was meant to have settled.
    Read {
        /// Which.
        place: String,
        /// What it holds.
        messages: Vec<Message>,
    },
    /// Its session has ended, as far as it knows.
    Disconnected,
}
