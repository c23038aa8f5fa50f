//! What has changed since when, in an array of fixed size.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_proto::{ConversationId, UserId};
use foldhash::fast::RandomState;

/// Places in the array: 256 KiB. Topics that share one cost each other a reload now and then.
const SLOTS: usize = 1 << 15;

/// Something that an answer of a store may depend on.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) enum Topic<'a> {
    /// A user's record, such as when the user was last seen.
    Record(&'a UserId),
    /// What a user's lists show of the user alone: memberships and cursors.
    Inbox(&'a UserId),
    /// Who is a member of a conversation, and its record, which says how many are.
    Members(ConversationId),
    /// A conversation's head: messages and every other numbered change.
    Changes(ConversationId),
    /// How far the members of a conversation have come.
    Cursors(ConversationId),
}

/// A topic's place in the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u16);

/// For each topic, the generation in which it last changed: the count of all changes until then.
///
/// Whoever is about to read a store notes the [current](Generations::current) generation first.
/// The answer is outdated once anything it depends on has changed in a later one. That can be said
/// although it shows only from the answer what it depends on, and it does not matter which comes
/// first, the end of the read or the news of the change: so no answer that was overtaken by a
/// change is taken for what came after.
pub(super) struct Generations {
    current: AtomicU64,
    changed: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Generations {
    pub(super) fn new() -> Self {
        Self {
            current: AtomicU64::new(0),
            changed: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::default(),
        }
    }

    /// The generation that a read which begins now belongs to.
    pub(super) fn current(&self) -> u64 {
        // Acquires what was released below: a read that begins in a generation sees the change
        // that began it.
        self.current.load(Ordering::Acquire)
    }

    /// Where topics are, each place once.
    pub(super) fn slots<'a>(&self, topics: impl IntoIterator<Item = Topic<'a>>) -> Box<[Slot]> {
        let mut slots: Vec<_> = topics.into_iter().map(|topic| self.slot(topic)).collect();
        slots.sort_unstable();
        slots.dedup();
        slots.into()
    }

    fn slot(&self, topic: Topic<'_>) -> Slot {
        let hash = self.hasher.hash_one(topic) >> 32;
        Slot(u16::try_from(hash % SLOTS as u64).unwrap_or(0))
    }

    /// Notes that topics have changed: that the store shows it to every read that begins from now
    /// on.
    pub(super) fn advance(&self, slots: &[Slot]) {
        let generation = self.current.fetch_add(1, Ordering::AcqRel) + 1;
        for slot in slots {
            self.changed[usize::from(slot.0)].fetch_max(generation, Ordering::AcqRel);
        }
    }

    /// Whether none of these has changed since a generation.
    pub(super) fn unchanged(&self, since: u64, slots: &[Slot]) -> bool {
        let changed = |slot: &Slot| self.changed[usize::from(slot.0)].load(Ordering::Acquire);
        slots.iter().all(|slot| changed(slot) <= since)
    }
}

/// Without the array.
impl fmt::Debug for Generations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generations").field("current", &self.current).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may")]

    use super::*;

    #[test]
    fn what_has_changed_since_a_read_began_is_outdated() {
        let generations = Generations::new();
        let (ada, place) = ("ada".parse().unwrap(), ConversationId::generate());
        let both = generations.slots([Topic::Inbox(&ada), Topic::Changes(place)]);
        let one = generations.slots([Topic::Inbox(&ada)]);
        let began = generations.current();
        assert!(generations.unchanged(began, &both));
        generations.advance(&generations.slots([Topic::Changes(place)]));
        assert!(!generations.unchanged(began, &both));
        assert!(generations.unchanged(began, &one));
        assert!(generations.unchanged(generations.current(), &both));
    }

    #[test]
    fn a_change_in_the_middle_of_a_read_outdates_it_and_not_the_next() {
        let generations = Generations::new();
        let ada = "ada".parse().unwrap();
        let slots = generations.slots([Topic::Record(&ada)]);
        generations.advance(&slots);
        let before = generations.current();
        generations.advance(&slots);
        let after = generations.current();
        assert!(!generations.unchanged(before, &slots));
        assert!(generations.unchanged(after, &slots));
    }

    #[test]
    fn topics_of_one_user_or_conversation_are_apart() {
        let generations = Generations::new();
        let (ada, place) = ("ada".parse().unwrap(), ConversationId::generate());
        let slots = generations.slots([
            Topic::Record(&ada),
            Topic::Inbox(&ada),
            Topic::Members(place),
            Topic::Changes(place),
            Topic::Cursors(place),
        ]);
        // By chance two may share a place, but hardly four of five.
        assert!(slots.len() >= 3, "{slots:?}");
    }
}
