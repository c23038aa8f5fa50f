use std::collections::{BTreeMap, BTreeSet};

use super::Message;

/// What the store holds at the end.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// The conversations, by their ids.
    pub places: BTreeMap<String, Place>,
}

/// A conversation in the store.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Its messages, in the order of their numbers.
    pub messages: Vec<Message>,
    /// Who is or was a member.
    pub members: BTreeMap<String, Membership>,
    /// The number of its last change.
    pub head: u64,
}

/// Whether a user is a member, and since which change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Whether the user is a member now.
    pub joined: bool,
    /// The change that brought this about.
    pub change_seq: u64,
}

impl Place {
    /// The numbers of its changes. One that was overtaken by a later one of the same thing has left
    /// no trace.
    pub(super) fn changes(&self) -> BTreeSet<u64> {
        let messages = self.messages.iter().map(|message| message.change_seq);
        messages.chain(self.members.values().map(|member| member.change_seq)).collect()
    }
}
