//! Who is typing where: a pure table with moments passed in.

use std::num::NonZeroU32;
use std::time::Duration;

use chat_proto::{ConversationId, UserId};
use foldhash::{HashMap, HashMapExt};
use tokio::time::Instant;

use crate::limit::{NextFree, Quota};

/// The most entries; while it is full nobody else is shown as typing.
const MAX_ENTRIES: usize = 100_000;
/// How often others are told that somebody begins or ceases to type, in one conversation, over time …
const TURNS_PER_SECOND: NonZeroU32 = NonZeroU32::new(2).unwrap();
/// … and at once: who begins, thinks again, and begins anew, waits for nothing.
const TURNS_AT_ONCE: u32 = 4;

/// Users who are typing on this node.
///
/// Others are told of each turn, until there are too many of them: then only how it stands, once as
/// much time has passed. So the last that is told is always the truth.
#[derive(Debug)]
pub(crate) struct TypingTable {
    entries: HashMap<(ConversationId, UserId), Typing>,
    resend: Duration,
    expiry: Duration,
    turns: Quota,
}

/// Kept while the user types, while others suppose so, and while there were turns lately.
#[derive(Debug)]
struct Typing {
    /// Until when the user types; none who has stopped.
    until: Option<Instant>,
    /// When others were last told that the user types; none while they suppose the user does not.
    shown: Option<Instant>,
    /// The turns that they were told of.
    turns: NextFree,
}

/// What others are to be told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) conversation: ConversationId,
    pub(crate) user: UserId,
    /// Whether the user types.
    pub(crate) typing: bool,
}

impl Typing {
    /// Brings what others suppose in line with what is so, if they may be told by now. Returns whether
    /// they are to be.
    fn settle(&mut self, turns: &Quota, now: Instant) -> bool {
        if self.until.is_some() == self.shown.is_some() {
            return false;
        }
        let Ok(next) = turns.check(Some(self.turns), now) else { return false };
        self.turns = next;
        self.shown = self.until.map(|_| now);
        true
    }

    fn is_over(&self, now: Instant) -> bool {
        self.until.is_none() && self.shown.is_none() && self.turns.has_passed(now)
    }
}

impl TypingTable {
    pub(crate) fn new(resend: Duration, expiry: Duration) -> Self {
        let turns = Quota::new(TURNS_PER_SECOND, Duration::from_secs(1), TURNS_AT_ONCE);
        Self { entries: HashMap::new(), resend, expiry, turns }
    }

    /// Takes a `typing.start`; returns whether others are to be told at once.
    pub(crate) fn start(&mut self, place: ConversationId, user: &UserId, now: Instant) -> bool {
        let key = (place, user.clone());
        if self.entries.len() >= MAX_ENTRIES && !self.entries.contains_key(&key) {
            return false;
        }
        let typing = self.entries.entry(key).or_insert_with(|| Typing {
            until: None,
            shown: None,
            turns: NextFree::at(now),
        });
        typing.until = Some(now + self.expiry);
        match &mut typing.shown {
            Some(told) if now >= *told + self.resend => {
                *told = now;
                true
            }
            Some(_) => false,
            None => typing.settle(&self.turns, now),
        }
    }

    /// Takes a `typing.stop`, or what amounts to one; returns whether others are to be told at once.
    /// The clock is looked at only if the user was typing.
    pub(crate) fn stop(
        &mut self,
        place: ConversationId,
        user: &UserId,
        now: impl FnOnce() -> Instant,
    ) -> bool {
        let Some(typing) = self.entries.get_mut(&(place, user.clone())) else { return false };
        typing.until = None;
        typing.settle(&self.turns, now())
    }

    /// Forgets a user who leaves the conversation; returns whether others are to be told, before they are
    /// told of the leaving, that the user does not type. That is not counted as a turn.
    pub(crate) fn leave(&mut self, place: ConversationId, user: &UserId) -> bool {
        let typing = self.entries.remove(&(place, user.clone()));
        typing.is_some_and(|typing| typing.shown.is_some())
    }

    /// What has become due: of users who have not been heard of in time, and of those of whom others
    /// could not be told before.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Told> {
        let mut due = Vec::new();
        self.entries.retain(|(conversation, user), typing| {
            typing.until = typing.until.filter(|until| *until > now);
            if typing.settle(&self.turns, now) {
                let (conversation, user) = (*conversation, user.clone());
                due.push(Told { conversation, user, typing: typing.until.is_some() });
            }
            !typing.is_over(now)
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table() -> TypingTable {
        TypingTable::new(Duration::from_secs(2), Duration::from_secs(3))
    }

    fn ids() -> (ConversationId, UserId) {
        (ConversationId::generate(), UserId::generate())
    }

    #[test]
    fn others_are_told_once_until_the_resend_time() {
        let (mut table, (place, user)) = (table(), ids());
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert!(table.start(place, &user, at(0)));
        assert!(!table.start(place, &user, at(1_900)));
        assert!(table.start(place, &user, at(2_000)));
        assert!(table.stop(place, &user, || at(2_050)));
        assert!(!table.stop(place, &user, || at(2_050)));
        assert!(table.start(place, &user, at(2_100)));
    }

    #[test]
    fn a_user_who_says_no_more_stops_typing() {
        let (mut table, (conversation, user)) = (table(), ids());
        let now = Instant::now();
        table.start(conversation, &user, now);
        assert!(table.due(now + Duration::from_millis(2_999)).is_empty());
        let told = Told { conversation, user, typing: false };
        assert_eq!(table.due(now + Duration::from_secs(3)), [told]);
        assert!(table.due(now + Duration::from_secs(9)).is_empty());
        assert!(table.entries.is_empty());
    }

    #[test]
    fn who_leaves_is_not_told_of_any_more() {
        let (mut table, (place, user)) = (table(), ids());
        let now = Instant::now();
        assert!(!table.leave(place, &user));
        // However often others were told before.
        for _ in 0..10 {
            table.start(place, &user, now);
            table.stop(place, &user, || now);
        }
        table.start(place, &user, now);
        table.leave(place, &user);
        assert!(table.due(now + Duration::from_secs(9)).is_empty());
        assert!(table.start(place, &user, now));
        assert!(table.leave(place, &user), "others supposed that the user types");
    }

    proptest! {
        /// However somebody goes to and fro, others are told in turns, few of them, and the truth last.
        #[test]
        fn turns_are_few_and_the_last_is_the_truth(
            steps in prop::collection::vec((0u64..200, any::<bool>()), 1..200),
        ) {
            let (mut table, (place, user)) = (table(), ids());
            let begun = Instant::now();
            let (mut now, mut ticked, mut told) = (begun, begun, Vec::new());
            for (pause, typing) in steps {
                now += Duration::from_millis(pause);
                while ticked + Duration::from_millis(100) <= now {
                    ticked += Duration::from_millis(100);
                    told.extend(table.due(ticked).into_iter().map(|told| told.typing));
                }
                let tell = if typing {
                    table.start(place, &user, now)
                } else {
                    table.stop(place, &user, || now)
                };
                if tell {
                    told.push(typing);
                }
                let elapsed = now - begun;
                let turns = told.chunk_by(|a, b| a == b).count() as u128;
                prop_assert!(turns <= 4 + elapsed.as_millis() / 500, "{turns} in {elapsed:?}");
                let (turns, resends) = (told.len() as u128, elapsed.as_millis() / 2_000);
                prop_assert!(turns <= 4 + elapsed.as_millis() / 500 + resends);
            }
            let typing = table.entries.values().any(|typing| typing.until.is_some());
            let settled = now + Duration::from_secs(1);
            table.due(settled).into_iter().for_each(|now| told.push(now.typing));
            let last = told.last().copied().unwrap_or_default();
            // Who began, and was not heard of since, may be over by then.
            prop_assert!(last == typing || !last);
            table.due(now + Duration::from_secs(4)).into_iter().for_each(|now| told.push(now.typing));
            prop_assert!(!told.last().copied().unwrap_or_default(), "nobody types for ever");
            table.due(now + Duration::from_secs(9));
            prop_assert!(table.entries.is_empty());
        }
    }

    #[test]
    fn while_the_table_is_full_nobody_else_is_shown_as_typing() {
        let mut table = TypingTable::new(Duration::from_secs(2), Duration::from_secs(3));
        let (place, user) = (ConversationId::generate(), UserId::generate());
        let now = Instant::now();
        assert!(table.start(place, &user, now));
        let others = std::iter::repeat_with(UserId::generate).take(MAX_ENTRIES - 1);
        assert!(others.fold(true, |told, other| told & table.start(place, &other, now)));
        assert!(!table.start(place, &UserId::generate(), now));
        assert_eq!(table.entries.len(), MAX_ENTRIES);
        let resent = now + Duration::from_secs(2);
        assert!(table.start(place, &user, resent), "who is in the table goes on");
    }
}
