//! The grace time between a user's last session and being offline: a pure table with moments
//! passed in.

use std::time::Duration;

use chat_proto::UserId;
use foldhash::{HashMap, HashMapExt};
use tokio::time::Instant;

/// Users who have gone and may still come back unnoticed.
#[derive(Debug)]
pub(super) struct Grace {
    ends: HashMap<UserId, Instant>,
    length: Duration,
}

impl Grace {
    pub(super) fn new(length: Duration) -> Self {
        Self { ends: HashMap::new(), length }
    }

    /// Begins a user's grace time, anew if it runs.
    pub(super) fn begin(&mut self, user: UserId, now: Instant) {
        self.ends.insert(user, now + self.length);
    }

    /// Ends it without consequence: the user is back.
    pub(super) fn cancel(&mut self, user: &UserId) {
        self.ends.remove(user);
    }

    /// Takes the users whose grace time is over.
    pub(super) fn due(&mut self, now: Instant) -> Vec<UserId> {
        self.ends.extract_if(|_, end| *end <= now).map(|(user, _)| user).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_back_in_time_is_not_due() {
        let mut grace = Grace::new(Duration::from_secs(15));
        let (back, gone) = (UserId::generate(), UserId::generate());
        let now = Instant::now();
        grace.begin(back.clone(), now);
        grace.begin(gone.clone(), now);
        grace.cancel(&back);
        assert!(grace.due(now + Duration::from_millis(14_999)).is_empty());
        assert_eq!(grace.due(now + Duration::from_secs(15)), [gone]);
        assert!(grace.due(now + Duration::from_secs(99)).is_empty());
    }
}
