//! The grace time between a user's last session and being offline: a pure table with moments
//! passed in.

use std::time::Duration;

use chat_proto::{ConversationId, UserId};
use foldhash::{HashMap, HashMapExt};
use tokio::time::Instant;

/// Conversations remembered of one user who has gone.
const MAX_EACH: usize = 256;
/// Conversations remembered of all of them. Of further users none are.
const MAX_REMEMBERED: usize = 100_000;

/// Users who have gone and may still come back unnoticed.
#[derive(Debug)]
pub(super) struct Grace {
    gone: HashMap<UserId, Gone>,
    length: Duration,
    /// The conversations of all entries, counted.
    remembered: usize,
}

#[derive(Debug)]
struct Gone {
    ends: Instant,
    /// What the user's devices were told of: whom to tell of the end while the store is away.
    told: Vec<ConversationId>,
}

impl Grace {
    pub(super) fn new(length: Duration) -> Self {
        Self { gone: HashMap::new(), length, remembered: 0 }
    }

    /// Begins a user's grace time, anew if it runs.
    pub(super) fn begin(&mut self, user: UserId, mut told: Vec<ConversationId>, now: Instant) {
        self.cancel(&user);
        told.truncate(MAX_EACH.min(MAX_REMEMBERED - self.remembered));
        self.remembered += told.len();
        self.gone.insert(user, Gone { ends: now + self.length, told });
    }

    /// Ends it without consequence: the user is back.
    pub(super) fn cancel(&mut self, user: &UserId) {
        if let Some(gone) = self.gone.remove(user) {
            self.remembered -= gone.told.len();
        }
    }

    /// Whether a user's grace time runs.
    pub(super) fn is_running(&self, user: &UserId) -> bool {
        self.gone.contains_key(user)
    }

    /// Takes the users whose grace time is over, with the conversations that they were told of.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(UserId, Vec<ConversationId>)> {
        let due = self.gone.extract_if(|_, gone| gone.ends <= now);
        let due: Vec<_> = due.map(|(user, gone)| (user, gone.told)).collect();
        self.remembered -= due.iter().map(|(_, told)| told.len()).sum::<usize>();
        due
    }

    /// The conversations that a user was told of whose grace time runs.
    pub(super) fn told(&self, user: &UserId) -> &[ConversationId] {
        self.gone.get(user).map_or(&[], |gone| &gone.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_back_in_time_is_not_due() {
        let mut grace = Grace::new(Duration::from_secs(15));
        let (back, gone) = (UserId::generate(), UserId::generate());
        let place = ConversationId::generate();
        let now = Instant::now();
        grace.begin(back.clone(), vec![place], now);
        grace.begin(gone.clone(), vec![place], now);
        grace.cancel(&back);
        assert_eq!((grace.told(&back), grace.told(&gone)), (&[][..], &[place][..]));
        assert!(grace.due(now + Duration::from_millis(14_999)).is_empty());
        assert_eq!(grace.due(now + Duration::from_secs(15)), [(gone, vec![place])]);
        assert!(grace.due(now + Duration::from_secs(99)).is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_given_back() {
        let mut grace = Grace::new(Duration::from_secs(15));
        let now = Instant::now();
        let places: Vec<_> = (0..MAX_EACH + 1).map(|_| ConversationId::generate()).collect();
        for _ in 0..MAX_REMEMBERED / MAX_EACH + 2 {
            grace.begin(UserId::generate(), places.clone(), now);
        }
        let last = UserId::generate();
        grace.begin(last.clone(), places.clone(), now);
        assert_eq!((grace.remembered, grace.told(&last).len()), (MAX_REMEMBERED, 0));
        assert_eq!(grace.due(now + Duration::from_secs(15)).len(), MAX_REMEMBERED / MAX_EACH + 3);
        grace.begin(last.clone(), places.clone(), now);
        grace.begin(last.clone(), places, now);
        assert_eq!((grace.remembered, grace.told(&last).len()), (MAX_EACH, MAX_EACH));
    }
}
