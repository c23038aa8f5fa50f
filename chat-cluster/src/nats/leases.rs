use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chat_core::presence::Lease;
use chat_core::proto::NodeId;
use foldhash::{HashMap, HashMapExt, HashSet};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::attempts::Attempts;
use super::bucket::{Bucket, Reading};
use super::error::NatsError;
use super::record::{Place, Term};
use super::{AT_ONCE, random};

/// How long it is believed that a lease is still held. Who believes it too long takes a user for
/// online whose end is being told by somebody else.
const BELIEVED: Duration = Duration::from_secs(1);
/// From how long a lease on arrivals need not renew it each: a quarter of it before.
const SHORTEST_SHARED: Duration = Duration::from_secs(1);
/// Of how many nodes something is kept at most.
const NODES: usize = 4_096;

/// The leases of all nodes: a key each, which its node writes again to renew it.
///
/// A lease is held for as long as its key says so, and it ends by a change of that key which names
/// the revision seen last. So whoever ends it and the node that renews it cannot both succeed, and
/// no reader has to judge by a clock.
#[derive(Debug)]
pub(super) struct Leases {
    bucket: Bucket,
    /// What this node holds. The outer lock is held for one look; behind the inner one, renewals of
    /// one lease wait for each other, since they would otherwise be in each other's way.
    held: Mutex<HashMap<NodeId, Arc<tokio::sync::Mutex<Holding>>>>,
    /// Leases that were held when they were looked at. The lock is held for one look.
    seen: Mutex<HashMap<NodeId, (Term, Instant)>>,
}

/// What the key of a node holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NodeLease {
    /// The lease that is held, if one is.
    pub(super) term: Option<Term>,
    /// How long it lasts without being renewed.
    pub(super) millis: u64,
    /// Leases that have ended, whose users have not all been found yet.
    pub(super) ended: Vec<Term>,
}

/// What is known of the lease of a node that renews it here.
#[derive(Debug, Default)]
struct Holding {
    held: Option<Held>,
    /// Whether it may have begun anew without the node having been told: such as by a call whose
    /// answer was lost, or that somebody stopped waiting for.
    begun: bool,
}

/// A lease that was renewed here.
#[derive(Debug)]
struct Held {
    lease: NodeLease,
    revision: u64,
    /// When it was asked for: it lasts from then on at the least.
    since: Instant,
    /// By which connection.
    connection: u64,
}

impl Leases {
    pub(super) fn new(bucket: Bucket) -> Self {
        Self { bucket, held: Mutex::new(HashMap::new()), seen: Mutex::new(HashMap::new()) }
    }

    pub(super) const fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Renews a lease, or begins it.
    pub(super) async fn renew(&self, node: NodeId, length: Duration) -> Result<Lease, NatsError> {
        let holding = self.holding(node);
        let mut holding = holding.lock().await;
        let (_, lease) = self.renew_held(node, length, &mut holding).await?;
        holding.begun = false;
        Ok(lease)
    }

    /// The same for a user's arrival. Where the lease was renewed lately that is as good. That it
    /// has begun is said again until the node has been [told](Self::told).
    pub(super) async fn hold(
        &self,
        node: NodeId,
        length: Duration,
    ) -> Result<(Term, Lease), NatsError> {
        let holding = self.holding(node);
        let mut holding = holding.lock().await;
        if let Some(held) = &holding.held
            && let Some(term) = held.lease.term
            && length >= SHORTEST_SHARED
            && held.lease.millis == millis(length)
            && held.since.elapsed() < length / 4
            && held.connection == self.connection()
        {
            return Ok((term, holding.lease()));
        }
        self.renew_held(node, length, &mut holding).await
    }

    /// Notes that a node is told what became of its lease.
    pub(super) async fn told(&self, node: NodeId, lease: Lease) {
        if lease == Lease::Begun {
            self.holding(node).lock().await.begun = false;
        }
    }

    async fn renew_held(
        &self,
        node: NodeId,
        length: Duration,
        holding: &mut Holding,
    ) -> Result<(Term, Lease), NatsError> {
        let mut attempts = Attempts::default();
        loop {
            attempts.next().await?;
            let (since, connection) = (Instant::now(), self.connection());
            let (before, revision) = match holding.held.take() {
                Some(held) => (held.lease, held.revision),
                None => self.lease(node, Reading::Certain).await?,
            };
            holding.begun |= before.term.is_none();
            let term = before.term.unwrap_or_else(|| Term(random::number()));
            let lease = NodeLease { term: Some(term), millis: millis(length), ..before };
            if let Some(revision) = self.write(node, &lease, revision).await? {
                holding.held = Some(Held { lease, revision, since, connection });
                return Ok((term, holding.lease()));
            }
        }
    }

    /// What the key of a node holds, and its revision: nothing and zero if there is none.
    pub(super) async fn lease(
        &self,
        node: NodeId,
        reading: Reading,
    ) -> Result<(NodeLease, u64), NatsError> {
        match self.bucket.read(&key(node), reading).await? {
            Some(entry) => {
                let lease = serde_json::from_slice(&entry.value).map_err(NatsError::damaged)?;
                Ok((lease, entry.revision))
            }
            None => Ok((NodeLease::default(), 0)),
        }
    }

    /// Writes the key of a node, if it has not been changed since this revision.
    pub(super) async fn write(
        &self,
        node: NodeId,
        lease: &NodeLease,
        revision: u64,
    ) -> Result<Option<u64>, NatsError> {
        let value = serde_json::to_vec(lease).map_err(NatsError::damaged)?;
        self.bucket.replace(&key(node), revision, Bytes::from(value)).await
    }

    /// The leases among those by which these places are held that have not ended.
    pub(super) async fn alive(
        &self,
        places: impl IntoIterator<Item = &Place>,
    ) -> Result<HashSet<(NodeId, Term)>, NatsError> {
        let all: HashSet<_> = places.into_iter().map(|place| (place.node, place.term)).collect();
        let looks = stream::iter(all).map(|(node, term)| async move {
            let alive = self.is_alive(node, term).await?;
            Ok(alive.then_some((node, term)))
        });
        looks
            .buffer_unordered(AT_ONCE)
            .try_filter_map(|alive| async move { Ok(alive) })
            .try_collect()
            .await
    }

    async fn is_alive(&self, node: NodeId, term: Term) -> Result<bool, NatsError> {
        let believed = self.lock_seen().get(&node).copied();
        if believed.is_some_and(|(seen, at)| seen == term && at.elapsed() < BELIEVED) {
            return Ok(true);
        }
        for reading in [Reading::Near, Reading::Certain] {
            if self.lease(node, reading).await?.0.term == Some(term) {
                let mut seen = self.lock_seen();
                if seen.len() >= NODES {
                    seen.clear();
                }
                seen.insert(node, (term, Instant::now()));
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn holding(&self, node: NodeId) -> Arc<tokio::sync::Mutex<Holding>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= NODES {
            // What is forgotten is read again.
            held.clear();
        }
        Arc::clone(held.entry(node).or_default())
    }

    fn lock_seen(&self) -> MutexGuard<'_, HashMap<NodeId, (Term, Instant)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connection(&self) -> u64 {
        self.bucket.jetstream().connection().times_made()
    }
}

impl Holding {
    const fn lease(&self) -> Lease {
        if self.begun { Lease::Begun } else { Lease::Kept }
    }
}

/// The key of a node.
fn key(node: NodeId) -> String {
    node.to_string()
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
