//! A change of each of some conversations.

use chat_proto::ConversationId;

/// Conversations with the number of a change of each, in about as much room as that takes: each
/// connection has such a list, and keeps it while it is idle.
///
/// It is sorted by conversation. To look one up is a binary search; to insert or remove one moves
/// what is behind it, which is rare, and little even for a member of thousands.
#[derive(Debug, Default)]
pub(crate) struct Changes(Vec<(ConversationId, u64)>);

impl Changes {
    pub(crate) fn get(&self, conversation: ConversationId) -> Option<u64> {
        self.place(conversation).ok().map(|place| self.0[place].1)
    }

    pub(crate) fn contains(&self, conversation: ConversationId) -> bool {
        self.place(conversation).is_ok()
    }

    /// Notes a change, whatever was noted of the conversation before.
    pub(crate) fn replace(&mut self, conversation: ConversationId, change: u64) {
        match self.place(conversation) {
            Ok(place) => self.0[place].1 = change,
            Err(place) => self.insert(place, conversation, change),
        }
    }

    /// Notes a change unless a later one of the conversation is noted. Returns whether none was.
    pub(crate) fn raise(&mut self, conversation: ConversationId, change: u64) -> bool {
        match self.place(conversation) {
            Ok(place) => {
                let known = &mut self.0[place].1;
                *known = change.max(*known);
                false
            }
            Err(place) => {
                self.insert(place, conversation, change);
                true
            }
        }
    }

    pub(crate) fn remove(&mut self, conversation: ConversationId) {
        if let Ok(place) = self.place(conversation) {
            self.0.remove(place);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, sorted by conversation.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConversationId, u64)> {
        self.0.iter().copied()
    }

    pub(crate) fn conversations(&self) -> impl Iterator<Item = ConversationId> {
        self.0.iter().map(|(conversation, _)| *conversation)
    }

    /// Where the conversation is, or else where it belongs.
    fn place(&self, conversation: ConversationId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&conversation, |(conversation, _)| *conversation)
    }

    fn insert(&mut self, place: usize, conversation: ConversationId, change: u64) {
        // A quarter more, where `Vec` would take room for twice as many.
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact(1 + self.0.len() / 4);
        }
        self.0.insert(place, (conversation, change));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_of_each_conversation_is_kept() {
        let mut changes = Changes::default();
        let ids: Vec<_> = (0..100).map(|_| ConversationId::generate()).collect();
        for (change, id) in ids.iter().enumerate().rev() {
            assert!(changes.raise(*id, change as u64));
        }
        for (id, change) in ids.iter().zip(0..) {
            assert_eq!(changes.get(*id), Some(change));
            assert!(!changes.raise(*id, 50));
            assert_eq!(changes.get(*id), Some(change.max(50)));
        }
        assert!(changes.conversations().is_sorted());
        for id in &ids {
            changes.replace(*id, 7);
            assert_eq!(changes.get(*id), Some(7));
            changes.remove(*id);
            assert!(!changes.contains(*id));
        }
        assert!(changes.is_empty());
    }
}
