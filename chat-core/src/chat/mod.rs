//! The engine's face: every use case is a method of [`Chat`], a file for each subject.

mod actor;
mod arrivals;
mod budget;
mod builder;
mod cluster;
mod conversations;
mod keeper;
mod live;
mod logins;
mod messages;
mod pairs;
mod ready;
mod receipts;
mod rooms;
mod users;

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use chat_proto::{
    CloseCode, Conversation, ConversationId, LoginSessionId, Member, SignalEvent, UserId,
};

pub use actor::Actor;
pub use builder::ChatBuilder;
pub use cluster::ClusterStats;
pub(crate) use conversations::inbox_page;
pub use messages::Sent;
pub use ready::{Check, NotReady};
pub use receipts::Receipt;

use crate::access::{self, Action, Decision};
use crate::appender::Appender;
use crate::broker::Subject;
use crate::cache::{CacheStats, CachedStore};
use crate::config::ChatConfig;
use crate::error::ChatError;
use crate::hub::{Delivery, Device};
use crate::limit::{Budgets, CountedLimit, Counting, Turns};
use crate::presence::Presence;
use crate::router::{Router, RouterNotice};
use crate::store::{Store, StoreError, StoreParts};
use crate::tasks::{Running, Tasks};
use crate::typing::TypingTable;
use crate::within::within;
use arrivals::{Arrival, Arrivals};
use pairs::Pairs;
use ready::Readiness;

/// The chat engine: one node. Cloning it is cheap, and all clones are the same engine.
///
/// Its background tasks run until [`Chat::shutdown`], or until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Chat {
    pub(crate) engine: Arc<Engine>,
}

/// What an engine is made of.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) config: Arc<ChatConfig>,
    /// The store itself: for what decides.
    pub(crate) stores: StoreParts,
    /// The cache over it, if there is one: for what is only shown, and for every write.
    pub(crate) shown: StoreParts,
    cache: Option<Arc<CachedStore>>,
    pub(crate) router: Arc<Router>,
    pub(crate) appender: Arc<Appender>,
    pub(crate) presence: Arc<Presence>,
    /// Who is typing. Held for one call of the table.
    pub(crate) typing: Arc<Mutex<TypingTable>>,
    sends: CountedLimit,
    openings: CountedLimit,
    counting: Arc<Counting>,
    /// What each user may do over time beside that.
    budgets: Budgets,
    /// What each user may do at once.
    turns: Turns,
    /// Lets only so many arrive at once.
    arrivals: Arrivals,
    pairs: Pairs,
    readiness: Readiness,
    tasks: Tasks,
    draining: AtomicBool,
}

/// In how many stages many devices are let go of.
const STAGES: usize = 10;
/// How many devices may come back to other nodes at once.
const STAGE: usize = 100;

fn end_all(devices: &[Arc<Device>]) {
    devices.iter().for_each(|device| device.outbox.end(CloseCode::Draining));
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

impl Chat {
    /// Begins to set up an engine over a store.
    #[must_use]
    pub fn builder(store: Arc<dyn Store>) -> ChatBuilder {
        ChatBuilder::new(store)
    }

    /// How this engine behaves.
    #[must_use]
    pub fn config(&self) -> &ChatConfig {
        &self.engine.config
    }

    /// How often the [cache](crate::cache) could answer by itself; none without a cache.
    #[must_use]
    pub fn cache_stats(&self) -> Option<CacheStats> {
        self.engine.cache.as_ref().map(|cache| cache.stats())
    }

    /// What went over the broker, and what could not.
    #[must_use]
    pub fn cluster_stats(&self) -> ClusterStats {
        ClusterStats {
            broker: self.engine.router.traffic.so_far(),
            limit_fallbacks: self.engine.counting.fallbacks(),
        }
    }

    /// What this engine's lists are read from, for tests of how old that may be.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn shown_store(&self) -> StoreParts {
        self.engine.shown.clone()
    }

    /// Waits for the turn of a device that arrives.
    pub(crate) async fn arrival(&self) -> Result<Arrival, ChatError> {
        self.engine.arrivals.next(self.engine.appender.is_storing()).await
    }

    /// Ends the turn of a device that has arrived, after a while if others are busy here.
    pub(crate) fn has_arrived(&self, arrival: Arrival) {
        if self.engine.appender.is_storing() {
            self.engine.tasks.spawn_idle("arrival", arrival.rest());
        }
    }

    /// Whether the engine takes new sessions.
    pub(crate) fn is_draining(&self) -> bool {
        self.engine.draining.load(Ordering::Acquire)
    }

    /// Ends the connections of logins that have ended, on every node: those of the user's sessions
    /// that were attached with one of them.
    pub fn end_logins(&self, user: &UserId, logins: &[LoginSessionId]) {
        self.engine.router.end_logins_here(user, logins);
        let notice = RouterNotice::LoginsEnded(logins.to_vec());
        self.engine.router.broadcast(Subject::User(user.clone()), &notice);
    }

    /// Refuses new sessions, and asks every device to come back after a random time within the
    /// window: where there may be other nodes, at most within four fifths of the grace time of
    /// presence, so that nobody who does was away. Each session ends once it has sent what waits and answered what it was asked: the
    /// first at once, and where there are many, the others in stages during half of the window, so
    /// that other nodes are not asked for all of them in one moment.
    pub fn drain(&self, window: Duration) {
        if self.engine.draining.swap(true, Ordering::AcqRel) {
            return;
        }
        let window = window.min(self.engine.presence.return_window());
        let millis = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let event = SignalEvent::SessionDraining { reconnect_after_ms: [0, millis] };
        let mut devices = self.engine.router.hub.deliver_to_all(&Delivery::signal(&event, None));
        let rest = devices.split_off(devices.len().min(STAGE.max(devices.len() / STAGES)));
        end_all(&devices);
        if !rest.is_empty() {
            let pause = window / (2 * STAGES as u32);
            let stage = rest.len().div_ceil(STAGES - 1).max(STAGE);
            // Whoever shuts the engine down waits for this, but not for devices that have gone.
            let mut rest: Vec<_> = rest.iter().map(Arc::downgrade).collect();
            self.engine.tasks.spawn("drain", async move {
                loop {
                    rest.retain(|device| device.strong_count() > 0);
                    if rest.is_empty() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                    let next: Vec<_> = rest.drain(..stage.min(rest.len())).collect();
                    end_all(&next.iter().filter_map(Weak::upgrade).collect::<Vec<_>>());
                }
            });
        }
    }

    /// Stops the engine's tasks, once what was submitted is stored and the other nodes are told of
    /// it. Drain first.
    pub async fn shutdown(&self) {
        self.engine.draining.store(true, Ordering::Release);
        let patience = 2 * self.engine.config.call_timeout();
        self.engine.tasks.settle(patience).await;
        self.engine.presence.close(patience).await;
        self.engine.router.flush().await;
        self.engine.tasks.stop().await;
    }

    /// Stops the engine's tasks at once and says nothing to anybody, as a crash would: for tests of
    /// what the other nodes make of it.
    #[cfg(feature = "testing")]
    pub fn abandon(&self) {
        self.engine.tasks.cancel();
    }

    /// Carries out what must not stop half-way between a store and the news of it, whether or not
    /// the caller still waits.
    async fn whole<T, F>(&self, work: F) -> Result<T, ChatError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ChatError>> + Send + 'static,
    {
        self.engine.tasks.carry_out(work).await.unwrap_or(Err(ChatError::Timeout))
    }

    /// Starts what a remote side has asked for, which goes on whether or not that side lets its
    /// transport ask for the result. Dropping it stops it.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Running<T> {
        self.engine.tasks.start(name, work)
    }

    /// Waits for a store, but no longer than configured.
    pub(crate) async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, ChatError> {
        within(self.engine.config.call_timeout(), call).await
    }

    /// The conversation, if the actor may do this to it.
    async fn authorise(
        &self,
        action: Action,
        actor: &Actor,
        id: ConversationId,
    ) -> Result<(Conversation, Option<Member>), ChatError> {
        let stores = &self.engine.stores;
        let conversation = self.within(stores.conversations.conversation(id)).await?;
        let conversation = conversation.ok_or(ChatError::NotFound)?;
        let member = self.within(stores.members.member(id, &actor.user_id)).await?;
        match access::decide(action, &conversation, member.as_ref()) {
            Decision::Allow => Ok((conversation, member)),
            Decision::Hide => Err(ChatError::NotFound),
            Decision::Deny(why) => Err(ChatError::Forbidden(why)),
        }
    }

    /// How many items a page has.
    fn page_size(&self, limit: Option<usize>) -> Result<usize, ChatError> {
        let limits = &self.engine.config.limits;
        match limit.unwrap_or(limits.page) {
            size if (1..=limits.page_max).contains(&size) => Ok(size),
            _ => Err(ChatError::PageTooLarge { max: limits.page_max }),
        }
    }
}
