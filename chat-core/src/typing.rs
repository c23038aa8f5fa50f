//! Who is typing where: a pure table with moments passed in.

use std::time::Duration;

use chat_proto::{ConversationId, UserId};
use foldhash::{HashMap, HashMapExt};
use tokio::time::Instant;

/// The most entries; while it is full nobody else is shown as typing.
const MAX_ENTRIES: usize = 100_000;

/// Users who are typing on this node.
#[derive(Debug)]
pub(crate) struct TypingTable {
    entries: HashMap<(ConversationId, UserId), Typing>,
    resend: Duration,
    expiry: Duration,
}

#[derive(Debug)]
struct Typing {
    /// When others were last told.
    told: Instant,
    expires: Instant,
}

impl TypingTable {
    pub(crate) fn new(resend: Duration, expiry: Duration) -> Self {
        Self { entries: HashMap::new(), resend, expiry }
    }

    /// Takes a `typing.start`; returns whether others are to be told.
    pub(crate) fn start(&mut self, place: ConversationId, user: &UserId, now: Instant) -> bool {
        let expires = now + self.expiry;
        let key = (place, user.clone());
        let full = self.entries.len() >= MAX_ENTRIES;
        match self.entries.get_mut(&key) {
            Some(typing) => {
                typing.expires = expires;
                let due = now >= typing.told + self.resend;
                if due {
                    typing.told = now;
                }
                due
            }
            None if !full => {
                self.entries.insert(key, Typing { told: now, expires });
                true
            }
            None => false,
        }
    }

    /// Takes a `typing.stop`, or what amounts to one; returns whether others are to be told.
    pub(crate) fn stop(&mut self, place: ConversationId, user: &UserId) -> bool {
        self.entries.remove(&(place, user.clone())).is_some()
    }

    /// Forgets who has not been heard of in time; others are to be told of each.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<(ConversationId, UserId)> {
        self.entries.extract_if(|_, typing| typing.expires <= now).map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_told_once_until_the_resend_time() {
        let mut table = TypingTable::new(Duration::from_secs(2), Duration::from_secs(3));
        let (place, user) = (ConversationId::generate(), UserId::generate());
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert!(table.start(place, &user, at(0)));
        assert!(!table.start(place, &user, at(1_900)));
        assert!(table.start(place, &user, at(2_000)));
        assert!(table.stop(place, &user));
        assert!(!table.stop(place, &user));
        assert!(table.start(place, &user, at(2_100)));
    }

    #[test]
    fn a_user_who_says_no_more_stops_typing() {
        let mut table = TypingTable::new(Duration::from_secs(2), Duration::from_secs(3));
        let (place, user) = (ConversationId::generate(), UserId::generate());
        let now = Instant::now();
        table.start(place, &user, now);
        assert!(table.expire(now + Duration::from_millis(2_999)).is_empty());
        assert_eq!(table.expire(now + Duration::from_secs(3)), [(place, user)]);
        assert!(table.expire(now + Duration::from_secs(9)).is_empty());
    }
}
