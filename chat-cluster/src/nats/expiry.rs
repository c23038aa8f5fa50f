use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_core::proto::{NodeId, PresenceStatus, UserId};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;

use super::AT_ONCE;
use super::bucket::{Entry, Reading};
use super::error::NatsError;
use super::leases::NodeLease;
use super::presence::{Presence, place_keys};
use super::record::{Term, user_of};
use super::sightings::Sightings;

/// How many users of one lease that has ended are found in one call.
const USERS: usize = 2_000;

/// Ends leases that have run out, and finds their users.
///
/// First the key of the node says that the lease has ended, which one caller achieves. Then its
/// users are found through the keys of its places, by as many callers as come; each user's record is
/// changed by one of them. When no place is left the node forgets the lease, so a caller that dies
/// in between leaves the rest to the others.
#[derive(Debug)]
pub(super) struct Expiry {
    /// The lock is held for one look at all leases.
    sightings: Mutex<Sightings>,
    /// Who was found to be gone and has not been told of yet: more than nobody when a call was given
    /// up. The lock is held for one user.
    gone: Mutex<Vec<(UserId, PresenceStatus)>>,
}

impl Expiry {
    pub(super) fn new() -> Self {
        Self { sightings: Mutex::new(Sightings::new()), gone: Mutex::new(Vec::new()) }
    }

    /// Does what can be done in this time, and returns who is on no node any more. What was not done
    /// is left to the next call.
    pub(super) async fn run(
        &self,
        presence: &Presence,
        within: Duration,
    ) -> Result<Vec<(UserId, PresenceStatus)>, NatsError> {
        let outcome = self.find(presence, Instant::now() + within).await;
        let gone = std::mem::take(&mut *lock(&self.gone));
        // Whoever was found must be told of, whatever came after.
        if gone.is_empty() { outcome.map(|()| gone) } else { Ok(gone) }
    }

    async fn find(&self, presence: &Presence, until: Instant) -> Result<(), NatsError> {
        let looked = self.look(presence).await;
        if looked.is_err() {
            lock(&self.sightings).forget();
        }
        let mut outcome = Ok(());
        for (node, mut lease, mut revision, run_out) in looked? {
            if run_out && let Some(term) = lease.term.take() {
                lease.ended.push(term);
                match presence.leases().write(node, &lease, revision).await {
                    Ok(Some(written)) => revision = written,
                    // Renewed at the last moment, or ended by somebody else.
                    Ok(None) => continue,
                    Err(error) => {
                        outcome = Err(error);
                        continue;
                    }
                }
            }
            if !lease.ended.is_empty() && Instant::now() < until {
                let cleared = self.clear(presence, node, lease, revision, until).await;
                outcome = outcome.and(cleared);
            }
        }
        outcome
    }

    /// All leases, and whether each has run out.
    async fn look(
        &self,
        presence: &Presence,
    ) -> Result<Vec<(NodeId, NodeLease, u64, bool)>, NatsError> {
        let leases = presence.leases();
        let connection = leases.bucket().jetstream().connection().times_made();
        let keys = leases.bucket().keys().await?;
        let asked = Instant::now();
        let nodes: Vec<NodeId> = keys.iter().filter_map(|key| key.parse().ok()).collect();
        let reads = stream::iter(nodes.clone()).map(|node| async move {
            let (lease, revision) = leases.lease(node, Reading::Near).await?;
            Ok::<_, NatsError>((node, lease, revision))
        });
        let found: Vec<_> = reads.buffer_unordered(AT_ONCE).try_collect().await?;
        let looked = (asked, Instant::now());
        let mut sightings = lock(&self.sightings);
        sightings.begin(connection, &nodes);
        let judged = found.into_iter().filter(|(_, _, revision)| *revision > 0);
        let judged = judged.map(|(node, lease, revision)| {
            let length = Duration::from_millis(lease.millis);
            let run_out = sightings.has_run_out(node, revision, length, looked);
            (node, lease, revision, run_out)
        });
        Ok(judged.collect())
    }

    /// Finds users of leases that have ended, and forgets those leases that have no more.
    async fn clear(
        &self,
        presence: &Presence,
        node: NodeId,
        mut lease: NodeLease,
        revision: u64,
        until: Instant,
    ) -> Result<(), NatsError> {
        let mut left = Vec::new();
        for term in std::mem::take(&mut lease.ended) {
            if !self.clear_term(presence, node, term, until).await? {
                left.push(term);
            }
        }
        if !left.is_empty() {
            return Ok(());
        }
        // Whether this or another caller forgets it is the same.
        if lease.term.is_some() {
            presence.leases().write(node, &lease, revision).await.map(drop)
        } else {
            presence.leases().bucket().remove(revision).await.map(drop)
        }
    }

    /// The same for one lease. Returns whether it has no more users.
    async fn clear_term(
        &self,
        presence: &Presence,
        node: NodeId,
        term: Term,
        until: Instant,
    ) -> Result<bool, NatsError> {
        let matching = format!("{}.*", place_keys(node, term));
        let places = presence.places().first(&matching, USERS).await?;
        let mut all = places.len() < USERS;
        let evictions = stream::iter(places).map(|(key, entry)| async move {
            if Instant::now() >= until {
                return Ok((None, false));
            }
            evict(presence, node, term, &key, &entry).await.map(|gone| (gone, true))
        });
        let mut evictions = evictions.buffer_unordered(AT_ONCE);
        let mut outcome = Ok(());
        while let Some(evicted) = evictions.next().await {
            match evicted {
                Ok((gone, done)) => {
                    lock(&self.gone).extend(gone);
                    all &= done;
                }
                Err(error) => outcome = Err(error),
            }
        }
        outcome.map(|()| all)
    }
}

/// Ends one place. Returns its user and how the user was shown, if this made the user go offline.
async fn evict(
    presence: &Presence,
    node: NodeId,
    term: Term,
    key: &str,
    place: &Entry,
) -> Result<Option<(UserId, PresenceStatus)>, NatsError> {
    let user = key.rsplit('.').next().and_then(user_of);
    let gone = match user {
        Some(user) => presence.evict(&user, node, term).await?.map(|shown| (user, shown)),
        None => None,
    };
    if let Err(error) = presence.places().remove(place.revision).await {
        // It is found again, and then belongs to nobody.
        tracing::debug!(%error, "the place of a user who is gone could not be removed");
    }
    Ok(gone)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
