use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::{HashMap, HashMapExt};
use futures::future::{join_all, try_join_all};
use tokio::sync::Notify;

use super::access::{Access, Address};
use super::ear::Ear;
use super::error::CallError;
use super::layout::Layout;
use super::slot::Slot;
use super::tasks::Tasks;
use super::wanted::Wanted;

/// All that is subscribed to, by a connection of its own to each server.
pub(super) struct Listening {
    access: Access,
    tasks: Tasks,
    wanted: Arc<Wanted>,
    stale: Arc<Notify>,
    /// Held for a lookup or an exchange.
    state: Mutex<Known>,
}

/// An ear, and what is asked of it.
type Part = (Arc<Ear>, Vec<String>);

struct Known {
    layout: Arc<Layout>,
    ears: HashMap<Address, Arc<Ear>>,
    closed: bool,
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

impl Listening {
    pub(super) fn new(
        access: Access,
        layout: &Arc<Layout>,
        tasks: Tasks,
        wanted: Arc<Wanted>,
        stale: Arc<Notify>,
    ) -> Self {
        let layout = Arc::clone(layout);
        let known = Known { layout: Arc::clone(&layout), ears: HashMap::new(), closed: false };
        let listening = Self { access, tasks, wanted, stale, state: Mutex::new(known) };
        listening.lock().ears = listening.ears(&layout, false);
        listening
    }

    /// Subscribes anew to everything, where each server's part of it is now. The node is told that
    /// anything may have been lost.
    pub(super) fn rearrange(&self, layout: Arc<Layout>) {
        let ears = self.ears(&layout, true);
        let mut known = self.lock();
        if !known.closed {
            known.layout = layout;
            known.ears = ears;
        }
    }

    /// Waits until everything is heard that is wanted so far.
    pub(super) async fn settled(&self) -> Result<(), CallError> {
        let ears: Vec<_> = self.lock().ears.values().cloned().collect();
        try_join_all(ears.iter().map(|ear| ear.settled())).await.map(drop)
    }

    /// Waits until the server of a channel is heard, however often that has to be tried.
    pub(super) async fn up(&self, channel: &str) -> Result<(), CallError> {
        let by_ear = self.by_ear(vec![channel.to_owned()])?;
        try_join_all(by_ear.iter().map(|(ear, _)| ear.up())).await.map(drop)
    }

    /// Subscribes to channels that are wanted. Returns when the servers have confirmed all.
    pub(super) async fn subscribe(&self, channels: Vec<String>) -> Result<(), CallError> {
        let by_ear = self.by_ear(channels)?;
        let all = by_ear.iter().map(|(ear, channels)| ear.subscribe(channels));
        join_all(all).await.into_iter().collect()
    }

    /// Ends subscriptions to channels that are no longer wanted.
    pub(super) async fn unsubscribe(&self, channels: Vec<String>) -> Result<(), CallError> {
        let by_ear = self.by_ear(channels)?;
        let all = by_ear.iter().map(|(ear, channels)| ear.unsubscribe(channels));
        join_all(all).await.into_iter().collect()
    }

    /// Ends all connections.
    pub(super) fn close(&self) {
        let mut known = self.lock();
        known.closed = true;
        known.ears.clear();
    }

    /// Channels by the ear that hears them.
    fn by_ear(&self, channels: Vec<String>) -> Result<Vec<Part>, CallError> {
        let known = self.lock();
        if known.closed {
            return Err(CallError::Closed);
        }
        let mut by_address = HashMap::<&Address, Vec<String>>::new();
        for channel in channels {
            let server = known.layout.server(Slot::of(&channel)).ok_or(CallError::NoServer)?;
            by_address.entry(server).or_default().push(channel);
        }
        let ears = by_address.into_iter().map(|(address, channels)| {
            let ear = known.ears.get(address).ok_or(CallError::NoServer)?;
            Ok((Arc::clone(ear), channels))
        });
        ears.collect()
    }

    fn ears(&self, layout: &Arc<Layout>, has_missed: bool) -> HashMap<Address, Arc<Ear>> {
        let ears = layout.servers().into_iter().map(|address| {
            let (access, layout) = (self.access.clone(), Arc::clone(layout));
            let (wanted, stale) = (Arc::clone(&self.wanted), Arc::clone(&self.stale));
            let there = (address.clone(), layout);
            let ear = Ear::open(&self.tasks, access, there, wanted, stale, has_missed);
            (address, Arc::new(ear))
        });
        ears.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
