//! Presence: a user is online while one session lives on any node.
//!
//! A node tells the shared [`PresenceStore`] when a user's first session begins here and when, the
//! grace time being over, the last one is gone. Who thereby comes online or goes offline for all
//! nodes is told to those who may see it. A node that dies is missed when its lease runs out.

mod audience;
mod grace;
mod store;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_proto::{ConversationId, NodeId, PresenceEntry, PresenceStatus, UserId};
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use tokio::time::Instant;

pub(crate) use audience::{Audience, MAKE_UP};
use grace::Grace;
#[cfg(feature = "testing")]
pub use store::MockPresenceStore;
pub use store::{Entered, Lease, PresenceStore};

use crate::config::{ChatConfig, PresenceScope};
use crate::error::ChatError;
use crate::router::{MAX_CONTACTS, Router, causes};
use crate::sharded::lock;
use crate::store::StoreParts;
use crate::within::within;

/// How long a look at somebody's presence may take that only adds to an answer.
const GLANCE: Duration = Duration::from_millis(500);
/// How long after a failed call of the presence store the next try is.
const RETRY: Duration = Duration::from_secs(1);
/// Users whose transitions are under way at once.
const AT_ONCE: usize = 64;
/// Locks that order the transitions of users.
const TURNS: usize = 64;

/// This node's part in presence.
#[derive(Debug)]
pub(crate) struct Presence {
    node: NodeId,
    store: Arc<dyn PresenceStore>,
    stores: StoreParts,
    router: Arc<Router>,
    config: Arc<ChatConfig>,
    /// Who is recorded as being here, and who is about to be gone. Held for a few lines.
    here: Mutex<Here>,
    /// One transition of a user at a time; users share locks by the hash of their ids.
    turns: Box<[tokio::sync::Mutex<()>]>,
}

#[derive(Debug)]
struct Here {
    entered: HashSet<UserId>,
    /// Users whose arrival could not be recorded, to be tried again.
    unrecorded: HashSet<UserId>,
    /// When.
    retry: Instant,
    grace: Grace,
    /// Users of whom not everybody could be told while the store was away, with when each was last
    /// seen, if that is still to be recorded.
    owed: HashMap<UserId, Option<Timestamp>>,
    /// When the lease was last renewed for certain.
    renewed: Option<Instant>,
}

impl Presence {
    pub(crate) fn new(
        store: Arc<dyn PresenceStore>,
        stores: StoreParts,
        router: Arc<Router>,
        config: Arc<ChatConfig>,
    ) -> Self {
        let here = Here {
            entered: HashSet::new(),
            unrecorded: HashSet::new(),
            retry: Instant::now(),
            grace: Grace::new(config.presence_grace()),
            owed: HashMap::new(),
            renewed: None,
        };
        Self {
            node: router.node,
            store,
            stores,
            router,
            config,
            here: Mutex::new(here),
            turns: (0..TURNS).map(|_| tokio::sync::Mutex::default()).collect(),
        }
    }

    /// Records that a user has a session here, before the session begins.
    ///
    /// Returns who may see the user, where that had to be found out.
    pub(crate) async fn arrive(&self, user: &UserId) -> Option<Audience> {
        let _turn = self.turn(user).await;
        {
            let mut here = lock(&self.here);
            here.grace.cancel(user);
            if here.entered.contains(user) && !here.unrecorded.contains(user) {
                return None;
            }
        }
        // Noted before the store is asked: should the answer be lost, the user still leaves.
        lock(&self.here).entered.insert(user.clone());
        let entering = self.store.enter(self.node, user, 1, self.config.presence_lease());
        match within(self.config.call_timeout(), entering).await {
            Ok(Entered { came_online, .. }) => {
                {
                    let mut here = lock(&self.here);
                    here.unrecorded.remove(user);
                    here.renewed.get_or_insert_with(Instant::now);
                }
                if came_online {
                    return self.tell(user, PresenceStatus::Online, None, &[]).await;
                }
            }
            Err(error) => {
                tracing::warn!(%user, error = %causes(&error), "cannot record who is online");
                let mut here = lock(&self.here);
                here.unrecorded.insert(user.clone());
                here.retry = Instant::now() + RETRY;
            }
        }
        None
    }

    /// Notes that a user's last session here has ended. The user has the grace time to come back.
    /// What the user's devices were told of is remembered until then.
    pub(crate) fn depart(&self, user: &UserId, told: Vec<ConversationId>, now: Instant) {
        lock(&self.here).grace.begin(user.clone(), told, now);
    }

    /// Carries out what has become due: departures whose grace time is over, and arrivals that
    /// could not be recorded.
    pub(crate) async fn tick(&self, now: Instant) {
        let (due, unrecorded) = {
            let mut here = lock(&self.here);
            let retry = now >= here.retry;
            let unrecorded: Vec<_> = here.unrecorded.iter().filter(|_| retry).cloned().collect();
            (here.grace.due(now), unrecorded)
        };
        // Together, so that nobody waits for as many timeouts as there are others.
        let leaving = due.into_iter().map(|(user, told)| self.leave(user, told, now).boxed());
        let arriving = unrecorded.into_iter().map(|user| self.arrive_again(user).boxed());
        let all: Vec<_> = leaving.chain(arriving).collect();
        futures::stream::iter(all).for_each_concurrent(AT_ONCE, |transition| transition).await;
    }

    async fn leave(&self, user: UserId, told: Vec<ConversationId>, now: Instant) {
        let user = &user;
        let _turn = self.turn(user).await;
        if self.router.hub.is_attached(user) || !lock(&self.here).entered.contains(user) {
            return;
        }
        // Who was shown as offline has not been seen to be here, so there is nothing to tell.
        let seen = self.is_shown_online(user).await;
        match within(self.config.call_timeout(), self.store.leave(self.node, user)).await {
            Ok(went_offline) => {
                {
                    let mut here = lock(&self.here);
                    here.entered.remove(user);
                    here.unrecorded.remove(user);
                }
                if went_offline && seen {
                    self.tell_offline(user, &told).await;
                }
            }
            Err(error) => {
                tracing::warn!(%user, error = %causes(&error), "cannot record who is offline");
                lock(&self.here).grace.begin(user.clone(), told, now);
            }
        }
    }

    /// Renews this node's lease, and finds users of nodes whose lease has run out.
    pub(crate) async fn renew(&self) -> Result<(), ChatError> {
        let timeout = self.config.call_timeout();
        let lease = self.config.presence_lease();
        let asked = Instant::now();
        within(timeout, self.store.renew(self.node, lease)).await?;
        let lost: Vec<_> = {
            let mut here = lock(&self.here);
            // The lease is certain from when it was asked for, and may have run out until the
            // answer came; then others may have declared these users gone.
            let before = here.renewed.replace(asked);
            let lost = before.is_some_and(|before| Instant::now() > before + lease);
            if lost { here.entered.iter().cloned().collect() } else { Vec::new() }
        };
        for user in lost {
            self.arrive_again(user).await;
        }
        for user in within(timeout, self.store.expire()).await? {
            let _turn = self.turn(&user).await;
            // The user may have come back, here or elsewhere, since the store answered.
            if !self.is_online(&user).await {
                self.tell_offline(&user, &[]).await;
            }
        }
        Ok(())
    }

    /// Records anew that a user is here, or lets the user go who is not.
    async fn arrive_again(&self, user: UserId) {
        if self.router.hub.is_attached(&user) {
            lock(&self.here).unrecorded.insert(user.clone());
            self.arrive(&user).await;
        } else {
            let mut here = lock(&self.here);
            here.unrecorded.remove(&user);
            let told = here.grace.told(&user).to_vec();
            here.grace.begin(user, told, Instant::now());
        }
    }

    /// Sets how a user is shown while online.
    pub(crate) async fn set(&self, user: &UserId, status: PresenceStatus) -> Result<(), ChatError> {
        let _turn = self.turn(user).await;
        let timeout = self.config.call_timeout();
        let users = std::slice::from_ref(user);
        let before = within(timeout, self.store.statuses(users)).await?;
        let Some((_, before)) = before.into_iter().next() else {
            return Err(ChatError::Conflict("presence can be set while a session is connected"));
        };
        within(timeout, self.store.set_status(user, status)).await?;
        if before.as_shown() != status.as_shown() {
            self.tell(user, status.as_shown(), None, &[]).await;
        }
        Ok(())
    }

    async fn is_online(&self, user: &UserId) -> bool {
        let asking = self.store.statuses(std::slice::from_ref(user));
        within(self.config.call_timeout(), asking).await.is_ok_and(|found| !found.is_empty())
    }

    /// Whether a user is online, as others see it. An unknown answer is no.
    pub(crate) async fn is_shown_online(&self, user: &UserId) -> bool {
        let asking = self.store.statuses(std::slice::from_ref(user));
        let statuses = within(GLANCE, asking).await.unwrap_or_default();
        statuses.iter().any(|(_, status)| status.as_shown() != PresenceStatus::Offline)
    }

    /// Who is online among those whose presence this user may see, who are found out unless they
    /// are known.
    pub(crate) async fn seen_by(
        &self,
        user: &UserId,
        known: Option<Audience>,
    ) -> Result<Vec<PresenceEntry>, ChatError> {
        let timeout = self.config.call_timeout();
        let audience = match known {
            Some(audience) => audience,
            None => self.audience(user, &[]).await?,
        };
        let statuses = match audience {
            Audience::Contacts(contacts) => within(timeout, self.store.statuses(&contacts)).await?,
            Audience::Companions(conversations) => {
                let companions = self.router.companions(user, &conversations);
                within(timeout, self.store.statuses(&companions)).await?
            }
            Audience::Everyone => within(timeout, self.store.online(MAX_CONTACTS)).await?,
        };
        let mut entries = shown(statuses);
        entries.retain(|entry| entry.user_id != *user);
        Ok(entries)
    }

    /// Who is online among the other members of a conversation that a user has just joined; nobody
    /// where members do not see each other, or see everybody already.
    pub(crate) async fn of_members(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Vec<PresenceEntry>, ChatError> {
        if self.config.presence_scope == PresenceScope::Everyone {
            return Ok(Vec::new());
        }
        let timeout = self.config.call_timeout();
        let most = self.config.limits.presence_members;
        let reading = self.stores.members.members(conversation, None, most + 1);
        let members = within(timeout, reading).await?;
        if members.len() > most {
            return Ok(Vec::new());
        }
        let others: Vec<_> = members
            .into_iter()
            .map(|profile| profile.member.user_id)
            .filter(|other| other != user)
            .collect();
        Ok(shown(within(timeout, self.store.statuses(&others)).await?))
    }

    /// Tells those who may see a user, some of whom have just become so, that the user is online.
    pub(crate) async fn introduce(&self, user: &UserId) {
        if self.config.presence_scope == PresenceScope::Everyone {
            return;
        }
        let asking = self.store.statuses(std::slice::from_ref(user));
        let statuses = within(self.config.call_timeout(), asking).await.unwrap_or_default();
        for entry in shown(statuses) {
            self.tell(&entry.user_id, entry.status, None, &[]).await;
        }
    }

    /// Ends this node's part: its users leave at once, so that others need not wait for the lease;
    /// but not longer than `limit`, since the lease ends anyway.
    pub(crate) async fn close(&self, limit: Duration) {
        let users: Vec<_> = lock(&self.here).entered.drain().collect();
        let leaving = futures::stream::iter(users).for_each_concurrent(AT_ONCE, async |user| {
            let leaving = self.store.leave(self.node, &user);
            if let Ok(true) = within(self.config.call_timeout(), leaving).await {
                let told = self.router.hub.subscriptions(&user);
                let told: Vec<_> = told.into_iter().map(|(id, _)| id).collect();
                self.tell_offline(&user, &told).await;
            }
        });
        if tokio::time::timeout(limit, leaving).await.is_err() {
            tracing::warn!("other nodes will see by the lease who was here");
        }
    }

    async fn turn(&self, user: &UserId) -> tokio::sync::MutexGuard<'_, ()> {
        let sum = user
            .as_str()
            .bytes()
            .fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        self.turns[sum % TURNS].lock().await
    }
}

/// Those who are shown as being here.
fn shown(statuses: Vec<(UserId, PresenceStatus)>) -> Vec<PresenceEntry> {
    statuses
        .into_iter()
        .map(|(user_id, status)| (user_id, status.as_shown()))
        .filter(|(_, status)| *status != PresenceStatus::Offline)
        .map(|(user_id, status)| PresenceEntry { user_id, status, last_seen_at: None })
        .collect()
}
