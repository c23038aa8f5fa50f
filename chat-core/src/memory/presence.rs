use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chat_proto::{NodeId, PresenceStatus, UserId};
use tokio::time::Instant;

use crate::presence::{Entered, Lease, PresenceStore};
use crate::store::StoreError;

/// Presence in memory: for one node, or for the nodes of one process, each with a clone.
#[derive(Debug, Clone, Default)]
pub struct MemoryPresence {
    /// All there is; the lock is held for one call, and never across an await.
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    nodes: HashMap<NodeId, Node>,
    /// How users are shown who said so and are online.
    shown: HashMap<UserId, PresenceStatus>,
}

#[derive(Debug)]
struct Node {
    /// When the lease runs out. From then on nobody is online here, though the users stay until
    /// somebody is told that they are gone.
    lease_ends: Instant,
    /// With how many devices each is here.
    users: HashMap<UserId, u32>,
}

impl MemoryPresence {
    /// Nobody is online.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PresenceStore for MemoryPresence {
    async fn enter(
        &self,
        node: NodeId,
        user: &UserId,
        devices: u32,
        shown: PresenceStatus,
        lease: Duration,
    ) -> Result<Entered, StoreError> {
        let now = Instant::now();
        let mut state = self.lock();
        let came_online = !state.is_online(user, now);
        if came_online {
            // Whoever is told of the arrival need not be told of an end that came before.
            state.forget(user);
            state.shown.insert(user.clone(), shown);
        }
        let held = state.renew(node, now, lease);
        if let Some(node) = state.nodes.get_mut(&node) {
            node.users.insert(user.clone(), devices);
        }
        Ok(Entered { came_online, devices: state.devices(user, now), lease: held })
    }

    async fn leave(&self, node: NodeId, user: &UserId) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let was_here =
            state.nodes.get_mut(&node).is_some_and(|node| node.users.remove(user).is_some());
        let gone = was_here && !state.is_online(user, Instant::now());
        if gone {
            state.forget(user);
        }
        Ok(gone)
    }

    async fn renew(&self, node: NodeId, lease: Duration) -> Result<Lease, StoreError> {
        Ok(self.lock().renew(node, Instant::now(), lease))
    }

    async fn expire(&self) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        let now = Instant::now();
        let mut state = self.lock();
        let ended = state.nodes.extract_if(|_, node| node.lease_ends <= now);
        let mut gone: HashSet<UserId> =
            ended.flat_map(|(_, node)| node.users.into_keys()).collect();
        gone.retain(|user| !state.is_online(user, now));
        let shown = gone.into_iter().map(|user| {
            let status = state.status(&user);
            state.forget(&user);
            (user, status)
        });
        Ok(shown.collect())
    }

    async fn set_status(&self, user: &UserId, status: PresenceStatus) -> Result<(), StoreError> {
        let mut state = self.lock();
        if state.is_online(user, Instant::now()) {
            state.shown.insert(user.clone(), status);
        }
        Ok(())
    }

    async fn statuses(
        &self,
        users: &[UserId],
    ) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        let now = Instant::now();
        let state = self.lock();
        let users: HashSet<&UserId> = users.iter().collect();
        let online = users.into_iter().filter(|user| state.is_online(user, now));
        Ok(online.map(|user| (user.clone(), state.status(user))).collect())
    }

    async fn online(&self, limit: usize) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        let now = Instant::now();
        let state = self.lock();
        let users: HashSet<&UserId> = state.live(now).flat_map(|node| node.users.keys()).collect();
        let users = users.into_iter().take(limit);
        Ok(users.map(|user| (user.clone(), state.status(user))).collect())
    }
}

impl State {
    /// Renews a node's lease, or begins it.
    fn renew(&mut self, id: NodeId, now: Instant, lease: Duration) -> Lease {
        let fresh = Node { lease_ends: now, users: HashMap::new() };
        let node = self.nodes.entry(id).or_insert(fresh);
        let held = if node.lease_ends > now { Lease::Kept } else { Lease::Begun };
        node.lease_ends = now + lease;
        held
    }

    fn live(&self, now: Instant) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(move |node| node.lease_ends > now)
    }

    /// How many devices a user has on all nodes.
    fn devices(&self, user: &UserId, now: Instant) -> u64 {
        self.live(now).filter_map(|node| node.users.get(user)).map(|count| u64::from(*count)).sum()
    }

    fn is_online(&self, user: &UserId, now: Instant) -> bool {
        self.live(now).any(|node| node.users.contains_key(user))
    }

    fn status(&self, user: &UserId) -> PresenceStatus {
        self.shown.get(user).copied().unwrap_or(PresenceStatus::Online)
    }

    /// Removes what is left of a user who is not online.
    fn forget(&mut self, user: &UserId) {
        self.shown.remove(user);
        for node in self.nodes.values_mut() {
            node.users.remove(user);
        }
    }
}
