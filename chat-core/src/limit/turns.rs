use std::sync::Arc;

use chat_proto::UserId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::sharded::Sharded;

/// Users in one part of the table from which on idle ones are forgotten.
const PRUNE_AT: usize = 1_024;

/// What a turn is for. A user's reads and writes do not wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// The store is asked.
    Read,
    /// The store is changed.
    Write,
}

/// How many operations of one user are carried out at a time: others of the same user wait, in their
/// order, and nobody else does.
#[derive(Debug)]
pub(crate) struct Turns {
    at_once: usize,
    users: Sharded<(UserId, Kind), Arc<Semaphore>>,
}

/// A turn; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// So many at a time; zero means no limit.
    pub(crate) fn new(at_once: usize) -> Self {
        Self { at_once, users: Sharded::new() }
    }

    /// Waits for a user's turn. Safe to cancel: the place in line is given up.
    pub(crate) async fn next(&self, user: &UserId, kind: Kind) -> Turn {
        if self.at_once == 0 {
            return Turn { _permit: None };
        }
        // Nobody closes it; were it so, nobody would have to wait.
        Turn { _permit: self.of(user, kind).acquire_owned().await.ok() }
    }

    fn of(&self, user: &UserId, kind: Kind) -> Arc<Semaphore> {
        let key = (user.clone(), kind);
        let mut users = self.users.lock(&key);
        if users.len() >= PRUNE_AT {
            // Whoever waits or has a turn holds one more.
            users.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        let turns = users
            .entry(key)
            .or_insert_with(|| Arc::new(Semaphore::new(self.at_once.min(Semaphore::MAX_PERMITS))));
        Arc::clone(turns)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn only_the_same_users_operations_of_one_kind_wait() {
        let turns = Turns::new(2);
        let (ada, bo) = (UserId::generate(), UserId::generate());
        let first = turns.next(&ada, Kind::Read).await;
        let _second = turns.next(&ada, Kind::Read).await;
        assert!(turns.next(&ada, Kind::Read).now_or_never().is_none());
        assert!(turns.next(&ada, Kind::Write).now_or_never().is_some());
        assert!(turns.next(&bo, Kind::Read).now_or_never().is_some());
        drop(first);
        assert!(turns.next(&ada, Kind::Read).now_or_never().is_some());
    }

    #[tokio::test]
    async fn those_who_have_come_and_gone_are_forgotten() {
        let turns = Turns::new(1);
        for _ in 0..100_000 {
            turns.next(&UserId::generate(), Kind::Read).await;
        }
        let mut kept = 0;
        turns.users.for_each_shard(|users| kept += users.len());
        assert!(kept <= 64 * PRUNE_AT, "{kept}");
    }
}
