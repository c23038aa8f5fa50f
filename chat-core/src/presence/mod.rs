//! Presence: a user is online while one session lives on any node.
//!
//! A node tells the shared [`PresenceStore`] when a user's first session begins here and when, the
//! grace time being over, the last one is gone. Who thereby comes online or goes offline for all
//! nodes is told to those who may see it. A node that dies is missed when its lease runs out.

mod audience;
mod choices;
mod grace;
mod here;
mod lease;
mod newcomers;
mod store;
mod view;
mod visits;

use std::sync::{Arc, Mutex};

use chat_proto::{ConversationId, NodeId, PresenceEntry, PresenceStatus, UserId};
use futures::{FutureExt, StreamExt};
use tokio::time::Instant;

pub(crate) use audience::{Audience, MAKE_UP};
use choices::Choices;
use here::{Here, News};
use newcomers::Newcomers;
#[cfg(feature = "testing")]
pub use store::MockPresenceStore;
pub use store::{Entered, Lease, PresenceStore};

use crate::config::{ChatConfig, PresenceScope};
use crate::error::ChatError;
use crate::limit::{Kind, Turns};
use crate::router::{MAX_CONTACTS, Router, causes};
use crate::sharded::lock;
use crate::store::{StoreParts, only};
use crate::within::within;

/// Users whose transitions are under way at once.
const AT_ONCE: usize = 64;

/// This node's part in presence.
#[derive(Debug)]
pub(crate) struct Presence {
    node: NodeId,
    store: Arc<dyn PresenceStore>,
    stores: StoreParts,
    router: Arc<Router>,
    config: Arc<ChatConfig>,
    /// Whether there may be other nodes.
    shared: bool,
    /// Who is recorded as being here, and who is about to be gone. Held for a few lines.
    here: Mutex<Here>,
    /// Who has joined a conversation and is yet to be shown to its members. Held for a push or a swap.
    newcomers: Mutex<Newcomers>,
    /// How users want to be shown of whom the store does not know it yet. Held for a look.
    choices: Mutex<Choices>,
    /// One transition of a user at a time.
    turns: Turns,
}

impl Presence {
    pub(crate) fn new(
        store: Arc<dyn PresenceStore>,
        stores: StoreParts,
        router: Arc<Router>,
        config: Arc<ChatConfig>,
        shared: bool,
    ) -> Self {
        Self {
            node: router.node,
            store,
            stores,
            router,
            here: Mutex::new(Here::new(config.presence_grace())),
            config,
            newcomers: Mutex::default(),
            choices: Mutex::default(),
            shared,
            turns: Turns::new(1),
        }
    }

    /// Records how many devices a user has here, before the newest of them is greeted.
    ///
    /// Returns who may see the user, where that had to be found out.
    ///
    /// # Errors
    ///
    /// [`ChatError::TooMany`] when that is one more than the user may have on all nodes together. Who
    /// cannot be counted is let in: each node has its own count.
    pub(crate) async fn arrive(&self, user: &UserId) -> Result<Option<Audience>, ChatError> {
        let recorded = self.record(user).await;
        let max = self.config.limits.sessions_per_user as u64;
        if recorded.devices.is_some_and(|devices| devices > max) {
            return Err(ChatError::TooMany(
                "too many connections of this user, here and elsewhere: close one first",
            ));
        }
        Ok(recorded.audience)
    }

    /// Records how many devices a user has here, if that is not what is recorded.
    async fn record(&self, user: &UserId) -> Recorded {
        let _turn = self.turns.next(user, Kind::Write).await;
        let (devices, known) = {
            let mut here = lock(&self.here);
            // Counted under the lock: of who leaves after that, it is noted after this.
            let devices = self.router.hub.device_count(user);
            if !here.begin_recording(user, devices) {
                return Recorded::default();
            }
            if here.is_away() {
                here.note_unrecorded(user, true, Instant::now());
                return Recorded::default();
            }
            (devices, here.chosen(user))
        };
        // Before anybody can see the user, it must be known how the user wants to be seen.
        let (shown, audience) = match known {
            Some(shown) => (shown, None),
            None => match self.choice(user).await {
                Ok((shown, audience)) => (shown, Some(audience)),
                Err(error) => {
                    tracing::warn!(%user, error = %causes(&error), "cannot read how a user is shown");
                    let away = error.is_store_away();
                    lock(&self.here).note_unrecorded(user, away, Instant::now());
                    return Recorded::default();
                }
            },
        };
        let missed = lock(&self.here).note_asked(user);
        let lease = self.config.presence_lease();
        let entering = self.store.enter(self.node, user, devices, shown, lease);
        match within(self.config.call_timeout(), entering).await {
            Ok(entered) => {
                let now = Instant::now();
                let news =
                    lock(&self.here).note_entered(user, devices, shown, &entered, missed, now);
                let audience = match news {
                    News::CameOnline => self.tell_online(user, shown, audience).await,
                    News::ShownAs(chosen) => self.show_as(user, chosen).await.or(audience),
                    News::Unknown => self.tell_shown(user, PresenceStatus::Offline, audience).await,
                    News::Nothing => audience,
                };
                Recorded { audience, devices: Some(entered.devices) }
            }
            Err(error) => {
                tracing::warn!(%user, error = %causes(&error), "cannot record who is online");
                let away = error.is_store_away();
                lock(&self.here).note_unrecorded(user, away, Instant::now());
                Recorded { audience, devices: None }
            }
        }
    }

    /// How a user wants to be shown, with who may see the user. While the store is away, it is what
    /// the user chose last as far as this node knows.
    async fn choice(&self, user: &UserId) -> Result<(PresenceStatus, Audience), ChatError> {
        let (members, limit) = match self.config.presence_scope {
            PresenceScope::Everyone => (0, 0),
            PresenceScope::Shared => (self.config.limits.presence_members, MAX_CONTACTS),
        };
        let asking = self.stores.members.circles(std::slice::from_ref(user), members, limit);
        match within(self.config.call_timeout(), asking).await {
            Ok(circles) => {
                let circle = only(circles)?;
                let chosen = circle.chosen;
                let audience = match self.config.presence_scope {
                    PresenceScope::Everyone => Audience::Everyone,
                    PresenceScope::Shared => Audience::Contacts(circle),
                };
                Ok((chosen, audience))
            }
            Err(error) => {
                let last = lock(&self.here).last_chosen(user).filter(|_| error.is_store_away());
                let shown = last.ok_or(error)?;
                Ok((shown, self.audience(user, &[]).await?))
            }
        }
    }

    /// Tells those who may see a user of the arrival.
    async fn tell_online(
        &self,
        user: &UserId,
        shown: PresenceStatus,
        audience: Option<Audience>,
    ) -> Option<Audience> {
        if self.shared {
            // Another node may set how the user is shown while it is found out whom to tell.
            return self.tell_shown(user, shown.as_shown(), audience).await;
        }
        let version = self.router.next_version();
        let (user_id, status) = (user.clone(), shown.as_shown());
        if status == PresenceStatus::Offline {
            return audience;
        }
        let audience = match audience {
            Some(audience) => audience,
            None => self.told(user, &[]).await?,
        };
        self.tell_to(&audience, PresenceEntry { user_id, status, last_seen_at: None, version });
        Some(audience)
    }

    /// Has a user shown as chosen whom another node has told of otherwise, since the presence store has
    /// forgotten. Where it knows of a choice, that may be a later one.
    async fn show_as(&self, user: &UserId, chosen: PresenceStatus) -> Option<Audience> {
        let asking = self.store.statuses(std::slice::from_ref(user));
        match within(self.config.call_timeout(), asking).await {
            Ok(statuses) => match statuses.first() {
                Some((_, PresenceStatus::Online)) if chosen != PresenceStatus::Online => {}
                _ => return None,
            },
            Err(error) => {
                lock(&self.here).note_unset(user, error.is_store_away(), Instant::now());
                return None;
            }
        }
        if !self.set_again(user, chosen).await {
            return None;
        }
        let version = self.router.next_version();
        let (user_id, status) = (user.clone(), chosen.as_shown());
        self.tell(PresenceEntry { user_id, status, last_seen_at: None, version }, &[]).await
    }

    /// Tells those who may see a user how the user is shown, if that is as somebody who is here.
    /// Where the store does not say it, it is what is `supposed`.
    async fn tell_shown(
        &self,
        user: &UserId,
        supposed: PresenceStatus,
        audience: Option<Audience>,
    ) -> Option<Audience> {
        // What is read after this number was taken is at least as new as the number says.
        let version = self.router.next_version();
        let audience = match audience {
            Some(audience) => audience,
            None => self.told(user, &[]).await?,
        };
        let asking = self.store.statuses(std::slice::from_ref(user));
        let status = match within(self.config.call_timeout(), asking).await {
            Ok(statuses) => view::shown(statuses, version).pop().map(|entry| entry.status),
            Err(_) => Some(supposed).filter(|status| *status != PresenceStatus::Offline),
        };
        if let Some(status) = status {
            let user_id = user.clone();
            let entry = PresenceEntry { user_id, status, last_seen_at: None, version };
            self.tell_to(&audience, entry);
        }
        Some(audience)
    }

    /// Sets how a user is shown who chose that before. If it cannot be set, it is tried again.
    async fn set_again(&self, user: &UserId, status: PresenceStatus) -> bool {
        let setting = self.store.set_status(user, status);
        if let Err(error) = within(self.config.call_timeout(), setting).await {
            // Shown to nobody rather than to those who are not to see it.
            tracing::warn!(%user, error = %causes(&error), "cannot set how a user is shown");
            lock(&self.here).note_unset(user, error.is_store_away(), Instant::now());
            return false;
        }
        true
    }

    /// Notes that one of a user's devices here is gone, of which others are left.
    pub(crate) fn recount(&self, user: &UserId) {
        lock(&self.here).recount(user);
    }

    /// Notes that a user's last session here has ended. The user has the grace time to come back.
    /// What the user's devices were told of is remembered until then.
    pub(crate) fn depart(&self, user: &UserId, told: Vec<ConversationId>, now: Instant) {
        let mut here = lock(&self.here);
        here.grace.begin(user.clone(), told, now);
        here.recount(user);
    }

    /// Carries out what has become due: departures whose grace time is over, and counts that have
    /// changed or could not be recorded.
    pub(crate) async fn tick(&self, now: Instant) {
        let ((due, uncounted), expired) = {
            let mut here = lock(&self.here);
            (here.due(now), std::mem::take(&mut here.expired))
        };
        // Together, so that nobody waits for as many timeouts as there are others.
        let leaving = due.into_iter().map(|(user, told)| self.leave(user, told, now).boxed());
        let counting = uncounted.into_iter().map(|user| self.record_again(user).boxed());
        let telling = expired.into_iter().map(|user| self.tell_expired(user).boxed());
        let all: Vec<_> = leaving.chain(counting).chain(telling).collect();
        futures::stream::iter(all).for_each_concurrent(AT_ONCE, |transition| transition).await;
    }

    async fn leave(&self, user: UserId, told: Vec<ConversationId>, now: Instant) {
        let user = &user;
        let _turn = self.turns.next(user, Kind::Write).await;
        if self.router.hub.is_attached(user) || !lock(&self.here).is_entered(user) {
            return;
        }
        // Who was shown as offline has not been seen to be here, so there is nothing to tell. Unless
        // that is known, the user stays: nobody else would tell of it.
        let asking = self.store.statuses(std::slice::from_ref(user));
        let left = match within(self.config.call_timeout(), asking).await {
            Ok(statuses) => {
                let (absent, seen) = (statuses.is_empty(), !view::shown(statuses, 0).is_empty());
                let leaving = self.store.leave(self.node, user);
                let left = within(self.config.call_timeout(), leaving).await;
                if left.is_err() {
                    lock(&self.here).note_going(user, seen);
                }
                left.map(|went_offline| (went_offline && seen, absent))
            }
            Err(error) => Err(error),
        };
        match left {
            Ok((went_offline, absent)) => {
                let went_before = absent && lock(&self.here).is_going(user);
                lock(&self.here).note_left(user);
                if went_offline || went_before {
                    self.tell_offline(user, &told).await;
                }
            }
            Err(error) => {
                tracing::warn!(%user, error = %causes(&error), "cannot record who is offline");
                lock(&self.here).grace.begin(user.clone(), told, now);
            }
        }
    }

    /// Tells of a user of a node whose lease has run out.
    async fn tell_expired(&self, user: UserId) {
        let _turn = self.turns.next(&user, Kind::Write).await;
        // The user may have come back, here or elsewhere, since the store answered.
        if !self.is_seen(&user).await {
            self.tell_offline(&user, &[]).await;
        }
    }

    /// Records anew how many devices a user has here, or that there is none for the moment.
    async fn record_again(&self, user: UserId) {
        let is_known = {
            let mut here = lock(&self.here);
            let attached = self.router.hub.is_attached(&user);
            if !attached && here.is_entered(&user) && !here.grace.is_running(&user) {
                here.grace.begin(user.clone(), Vec::new(), Instant::now());
            }
            attached || here.is_entered(&user)
        };
        if is_known {
            self.record(&user).await;
        }
    }

    /// How a user who is here last chose to be shown, as far as this node knows.
    pub(crate) fn last_chosen(&self, user: &UserId) -> Option<PresenceStatus> {
        lock(&self.here).last_chosen(user)
    }

    /// Sets how a user is shown while online, from now on and whenever the user comes back.
    pub(crate) async fn set(&self, user: &UserId, status: PresenceStatus) -> Result<(), ChatError> {
        let _turn = self.turns.next(user, Kind::Write).await;
        let timeout = self.config.call_timeout();
        let users = std::slice::from_ref(user);
        let before = within(timeout, self.store.statuses(users)).await?;
        let Some((_, before)) = before.into_iter().next() else {
            return Err(ChatError::Conflict("presence can be set while a session is connected"));
        };
        within(timeout, self.store.set_status(user, status)).await?;
        lock(&self.here).choose(user, status);
        let shown = status.as_shown();
        let telling = async {
            if before.as_shown() == shown {
                return;
            }
            if shown == PresenceStatus::Offline {
                // As others see it, the user goes now.
                self.tell_offline(user, &[]).await;
            } else {
                self.tell_shown(user, shown, None).await;
            }
        };
        // A store that hangs keeps neither waiting for the other.
        let (stored, ()) = futures::future::join(self.store_choice(user, status), telling).await;
        stored
    }

    /// Whether others see a user as being here.
    async fn is_seen(&self, user: &UserId) -> bool {
        let asking = self.store.statuses(std::slice::from_ref(user));
        let statuses = within(self.config.call_timeout(), asking).await.unwrap_or_default();
        !view::shown(statuses, 0).is_empty()
    }
}

/// What came of recording a user.
#[derive(Debug, Default)]
struct Recorded {
    /// Who may see the user, where that had to be found out.
    audience: Option<Audience>,
    /// How many devices the user has on all nodes, where that was found out.
    devices: Option<u64>,
}
