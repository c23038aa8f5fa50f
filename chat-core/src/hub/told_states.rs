//! What this node's devices were told last of each state.

use std::hash::BuildHasher;
use std::sync::Mutex;
use std::time::Duration;

use chat_proto::{ConversationId, SignalEvent, UserId};
use foldhash::HashMap;
use foldhash::fast::RandomState;
use tokio::time::Instant;

use crate::sharded::lock;

/// For how long it is remembered what was told of a state. What is on its way arrives sooner.
const REMEMBERED: Duration = Duration::from_secs(30);
/// Parts, each behind its own lock.
const PARTS: usize = 64;
/// States remembered in one generation of a part.
const MAX_STATES: usize = 512;

/// A state that signals tell, each of which holds until a later one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum StateSubject {
    /// Whether a user is here.
    Presence(UserId),
    /// How far a member has read.
    Read(ConversationId, UserId),
    /// How far a member's devices have received.
    Delivered(ConversationId, UserId),
    /// What the receiver has not read.
    Unread(ConversationId),
    /// Whether a member is typing.
    Typing(ConversationId, UserId),
}

impl StateSubject {
    /// The state that a signal tells to others, with the number that orders it; none where the order
    /// is not by a number, or it is from a node that gives none.
    fn of(event: &SignalEvent) -> Option<(Self, u64)> {
        let (subject, version) = match event {
            SignalEvent::ReceiptRead { conversation_id, user_id, seq } => {
                (Self::Read(*conversation_id, user_id.clone()), *seq)
            }
            SignalEvent::ReceiptDelivered { conversation_id, user_id, seq } => {
                (Self::Delivered(*conversation_id, user_id.clone()), *seq)
            }
            SignalEvent::TypingStarted { conversation_id, user_id, version }
            | SignalEvent::TypingStopped { conversation_id, user_id, version } => {
                (Self::Typing(*conversation_id, user_id.clone()), *version)
            }
            SignalEvent::PresenceChanged(entry) => {
                (Self::Presence(entry.user_id.clone()), entry.version)
            }
            _ => return None,
        };
        (version > 0).then_some((subject, version))
    }
}

/// What was told last of each state, by its number: so that nobody is told what is behind it, in
/// whatever order it comes from callers, the store, or other nodes.
///
/// Bounded to 65,536 states. What was not told of for 30 to 60 s is forgotten, and where more is told
/// than has room, the oldest is forgotten early. Clients go by the numbers, too, so that a state which
/// was forgotten is told too often and never wrongly.
#[derive(Debug)]
pub(crate) struct ToldStates {
    /// Each lock protects the states whose hash leads to it, and is held while one of them is told: who
    /// comes with a later one waits, and is told after it.
    parts: Box<[Mutex<Part>]>,
    hasher: RandomState,
}

/// Two generations: when the younger is full or old, it takes the place of the older.
#[derive(Debug)]
struct Part {
    younger: HashMap<StateSubject, u64>,
    older: HashMap<StateSubject, u64>,
    since: Instant,
}

impl ToldStates {
    pub(crate) fn new() -> Self {
        let part = |_| {
            let (younger, older) = (HashMap::default(), HashMap::default());
            Mutex::new(Part { younger, older, since: Instant::now() })
        };
        Self { parts: (0..PARTS).map(part).collect(), hasher: RandomState::default() }
    }

    /// Tells a state, unless a later one was told before. One with the same number is told again: it
    /// may be for others.
    pub(crate) fn tell(&self, event: &SignalEvent, tell: impl FnOnce()) {
        let Some((subject, version)) = StateSubject::of(event) else { return tell() };
        let place = usize::try_from(self.hasher.hash_one(&subject) >> 40).unwrap_or(0) % PARTS;
        let mut part = lock(&self.parts[place]);
        if part.raise(subject, version, Instant::now()) {
            tell();
        }
    }
}

impl Part {
    /// Notes a number unless a higher one is known; returns whether none is.
    fn raise(&mut self, subject: StateSubject, version: u64, now: Instant) -> bool {
        if self.younger.len() >= MAX_STATES || now > self.since + REMEMBERED {
            self.older = std::mem::take(&mut self.younger);
            self.since = now;
        }
        let known = self.younger.get(&subject).or_else(|| self.older.get(&subject));
        if known.is_some_and(|known| version < *known) {
            return false;
        }
        self.younger.insert(subject, version);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(conversation_id: ConversationId, user_id: &UserId, seq: u64) -> SignalEvent {
        SignalEvent::ReceiptRead { conversation_id, user_id: user_id.clone(), seq }
    }

    #[test]
    fn what_is_behind_is_not_told() {
        let (told, place) = (ToldStates::new(), ConversationId::generate());
        let (ada, bo) = (UserId::generate(), UserId::generate());
        let mut seen = Vec::new();
        for (user, seq) in [(&ada, 3), (&ada, 5), (&ada, 3), (&bo, 3), (&ada, 5), (&ada, 6)] {
            told.tell(&read(place, user, seq), || seen.push((user, seq)));
        }
        assert_eq!(seen, [(&ada, 3), (&ada, 5), (&bo, 3), (&ada, 5), (&ada, 6)]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let told = ToldStates::new();
        for _ in 0..4 * PARTS * MAX_STATES {
            told.tell(&read(ConversationId::generate(), &UserId::generate(), 1), || {});
        }
        let states = told.parts.iter().map(|part| {
            let part = lock(part);
            part.younger.len() + part.older.len()
        });
        assert!(states.sum::<usize>() <= 2 * PARTS * MAX_STATES);
    }
}
