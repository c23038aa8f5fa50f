use std::sync::Arc;

use chat_proto::{ChangeEvent, ConversationId, PresenceEntry, SignalEvent, UserId};

use super::generations::Topic;
use super::members::moved;
use super::shelf::Freshness;

/// Where an engine says what it hears of: what other nodes did, and what it found in the store.
/// What this node did itself, the cache knows from the writes.
///
/// Said before any device is told, so that no device then reads what was before. Without a cache
/// nobody listens.
#[derive(Debug, Clone, Default)]
pub(crate) struct News(Option<Arc<Freshness>>);

impl News {
    pub(super) fn new(cache: &Arc<Freshness>) -> Self {
        Self(Some(Arc::clone(cache)))
    }

    fn changed<'a>(&self, topics: impl IntoIterator<Item = Topic<'a>>) {
        if let Some(Freshness { generations, .. }) = self.0.as_deref() {
            generations.advance(&generations.slots(topics));
        }
    }

    /// A change of a conversation, from another node or read to fill a gap.
    pub(crate) fn change(&self, event: &ChangeEvent) {
        let conversation = event.conversation_id();
        match event {
            ChangeEvent::MessageCreated { .. } => self.changed([Topic::Changes(conversation)]),
            ChangeEvent::MemberJoined { member, .. }
            | ChangeEvent::MemberUpdated { member, .. }
            | ChangeEvent::MemberLeft { member, .. } => {
                self.changed(moved(conversation, &member.member.user_id));
            }
            _ => self.advance(conversation),
        }
    }

    /// That a conversation has changed, nobody knows how.
    pub(crate) fn advance(&self, conversation: ConversationId) {
        self.changed([Topic::Members(conversation), Topic::Changes(conversation)]);
    }

    /// That a user has become a member of a conversation.
    pub(crate) fn joined(&self, user: &UserId, conversation: ConversationId) {
        self.changed(moved(conversation, user));
    }

    /// That a user has read or received more of a conversation.
    pub(crate) fn read(&self, user: &UserId, conversation: ConversationId) {
        self.changed([Topic::Cursors(conversation), Topic::Inbox(user)]);
    }

    /// Something shown about a user, or to that user.
    pub(crate) fn signal(&self, user: &UserId, event: &SignalEvent) {
        match event {
            SignalEvent::ReceiptRead { conversation_id, .. }
            | SignalEvent::ReceiptDelivered { conversation_id, .. }
            | SignalEvent::UnreadChanged { conversation_id, .. } => {
                self.read(user, *conversation_id);
            }
            SignalEvent::PresenceChanged(entry) => self.presence(entry),
            _ => {}
        }
    }

    /// That a user came, which changes nothing that is kept, or went.
    pub(crate) fn presence(&self, entry: &PresenceEntry) {
        if entry.last_seen_at.is_some() {
            self.changed([Topic::Record(&entry.user_id)]);
        }
    }

    /// That one of a user's devices is about to be told what was read from the store itself, such
    /// as a greeting: the user's lists are not to show what was before.
    pub(crate) fn told(&self, user: &UserId) {
        self.changed([Topic::Inbox(user)]);
    }

    /// The same of changes that are replayed.
    pub(crate) fn replayed(&self, user: &UserId, changes: &[ChangeEvent]) {
        self.told(user);
        // Messages show in the user's own lists only; who else is a member, in everybody's pages.
        let members =
            changes.iter().filter(|change| !matches!(change, ChangeEvent::MessageCreated { .. }));
        members.for_each(|change| self.change(change));
    }
}
