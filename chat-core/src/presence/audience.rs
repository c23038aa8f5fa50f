//! Who is told of a user, with the store and without it.
//!
//! Who may see whom is the store's knowledge. While the store is away, those are told who are
//! connected and share a small conversation with the user; and once it is back, everybody is told
//! how the user is then shown.

use std::time::Duration;

use chat_proto::{ConversationId, PresenceEntry, PresenceStatus, UserId};
use foldhash::{HashMap, HashMapExt};
use jiff::Timestamp;

use super::Presence;
use super::view::shown;
use crate::broker::Subject;
use crate::config::PresenceScope;
use crate::error::ChatError;
use crate::limit::Kind;
use crate::router::{MAX_CONTACTS, RouterNotice, causes};
use crate::sharded::lock;
use crate::store::{Circle, Contact, Membership, only};
use crate::within::within;

/// How often it is tried to make up for what could not be told.
pub(crate) const MAKE_UP: Duration = Duration::from_secs(1);
/// Users of whom everybody is told at one such time.
const MAKE_UP_AT_ONCE: usize = 64;
/// Users remembered of whom not everybody could be told.
const MAX_OWED: usize = 10_000;
/// Conversations by which other nodes find whom to tell.
const MAX_CONVERSATIONS: usize = 256;

/// Who may see a user, and whom the user may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Audience {
    Everyone,
    /// The user's contacts, with what was read along with them.
    Contacts(Circle),
    /// The store does not say. Those who are connected and told of one of these conversations.
    Companions(Vec<ConversationId>),
}

impl Audience {
    /// The user's memberships, where they were read along.
    pub(crate) fn take_memberships(&mut self) -> Option<Vec<Membership>> {
        match self {
            Self::Contacts(circle) => Some(std::mem::take(&mut circle.memberships)),
            Self::Everyone | Self::Companions(_) => None,
        }
    }
}

impl Presence {
    /// Notes when a user was last seen, and tells those who may see the user, unless the user is here
    /// again; `told` is what the user's devices were told of, as far as that is remembered.
    pub(super) async fn tell_offline(&self, user: &UserId, told: &[ConversationId]) {
        let now = Timestamp::now();
        let recording = self.stores.users.record_last_seen(user, now);
        let recording = within(self.config.call_timeout(), recording);
        // At once: those who are connected need not wait for a store that hangs.
        let (recorded, ()) =
            futures::future::join(recording, self.tell_gone(user, now, told)).await;
        match recorded {
            Ok(()) => {}
            Err(error) if error.is_store_away() => self.owe(user, Some(now)),
            Err(error) => {
                tracing::warn!(
                    %user,
                    error = %causes(&error),
                    "cannot record when a user was last seen"
                );
            }
        }
    }

    async fn tell_gone(&self, user: &UserId, now: Timestamp, told: &[ConversationId]) {
        let version = self.router.next_version();
        // Another node may have the user by now, and have told of it before this.
        if self.shared && self.is_seen(user).await {
            return;
        }
        let (user_id, status) = (user.clone(), PresenceStatus::Offline);
        self.tell(PresenceEntry { user_id, status, last_seen_at: Some(now), version }, told).await;
    }

    /// Tells those who may see a user; returns them.
    pub(super) async fn tell(
        &self,
        entry: PresenceEntry,
        told: &[ConversationId],
    ) -> Option<Audience> {
        let audience = self.told(&entry.user_id, told).await?;
        self.tell_to(&audience, entry);
        Some(audience)
    }

    /// Those who are to be told of a user, if they can be found out.
    pub(crate) async fn told(&self, user: &UserId, told: &[ConversationId]) -> Option<Audience> {
        let found = self.audience(user, told).await;
        if let Err(error) = &found {
            tracing::warn!(%user, error = %causes(error), "cannot find whom to tell of a user");
        }
        found.ok()
    }

    /// Tells these of a user.
    pub(super) fn tell_to(&self, audience: &Audience, entry: PresenceEntry) {
        if matches!(audience, Audience::Companions(_)) {
            self.owe(&entry.user_id, entry.last_seen_at);
        }
        self.show(entry, audience);
    }

    fn show(&self, entry: PresenceEntry, audience: &Audience) {
        let router = &self.router;
        match audience {
            Audience::Everyone => {
                router.show_presence(entry.clone(), None);
                let notice = RouterNotice::Presence { entry, audience: None };
                router.broadcast(Subject::Presence, &notice);
            }
            Audience::Contacts(Circle { contacts, .. }) => {
                let users: Vec<_> = contacts.iter().map(|one| one.user_id.clone()).collect();
                router.show_presence(entry.clone(), Some(&users));
                for (conversation, users) in by_conversation(contacts) {
                    let notice =
                        RouterNotice::Presence { entry: entry.clone(), audience: Some(users) };
                    router.broadcast(Subject::Conversation(conversation), &notice);
                }
            }
            Audience::Companions(conversations) => {
                router.show_presence_in(entry.clone(), conversations);
                for conversation in conversations {
                    let conversations = vec![*conversation];
                    let notice = RouterNotice::PresenceIn { entry: entry.clone(), conversations };
                    router.broadcast(Subject::Conversation(*conversation), &notice);
                }
            }
        }
    }

    /// Who may see a user, and whom the user may see.
    pub(super) async fn audience(
        &self,
        user: &UserId,
        told: &[ConversationId],
    ) -> Result<Audience, ChatError> {
        match self.known_audience(user).await {
            Err(error) if error.is_store_away() => {
                let subscribed = self.router.hub.subscriptions(user).into_iter().map(|(id, _)| id);
                let remembered = lock(&self.here).grace.told(user).to_vec();
                let mut conversations: Vec<_> =
                    subscribed.chain(remembered).chain(told.iter().copied()).collect();
                conversations.sort_unstable();
                conversations.dedup();
                conversations.truncate(MAX_CONVERSATIONS);
                Ok(Audience::Companions(conversations))
            }
            known => known,
        }
    }

    /// The same, by the store alone.
    async fn known_audience(&self, user: &UserId) -> Result<Audience, ChatError> {
        match self.config.presence_scope {
            PresenceScope::Everyone => Ok(Audience::Everyone),
            PresenceScope::Shared => {
                let members = self.config.limits.presence_members;
                let user = std::slice::from_ref(user);
                let asking = self.stores.members.circles(user, members, MAX_CONTACTS);
                let circles = within(self.config.call_timeout(), asking).await?;
                Ok(Audience::Contacts(only(circles)?))
            }
        }
    }

    /// Remembers that not everybody could be told of a user, or the store when the user was last
    /// seen.
    fn owe(&self, user: &UserId, last_seen_at: Option<Timestamp>) {
        let owed = &mut lock(&self.here).owed;
        if owed.len() < MAX_OWED || owed.contains_key(user) {
            let seen = owed.entry(user.clone()).or_default();
            *seen = last_seen_at.max(*seen);
        }
    }

    /// Makes up for what could not be told while the store was away, if it is back.
    pub(crate) async fn make_up(&self) {
        self.store_choices().await;
        for _ in 0..MAKE_UP_AT_ONCE {
            let next = lock(&self.here).owed.keys().next().cloned();
            let Some(user) = next else { return };
            let Some(last_seen_at) = lock(&self.here).owed.remove(&user) else { continue };
            if let Err(error) = self.tell_anew(&user, last_seen_at).await {
                if error.is_store_away() {
                    self.owe(&user, last_seen_at);
                    return;
                }
                tracing::warn!(%user, error = %causes(&error), "cannot find whom to tell of a user");
            }
        }
    }

    /// Tells everybody how a user is shown by now.
    async fn tell_anew(
        &self,
        user: &UserId,
        last_seen_at: Option<Timestamp>,
    ) -> Result<(), ChatError> {
        let timeout = self.config.call_timeout();
        // A time that was overtaken by a later one changes nothing, so it may be told late.
        if let Some(at) = last_seen_at {
            within(timeout, self.stores.users.record_last_seen(user, at)).await?;
            // That ended the visit of a user who may be here again.
            lock(&self.here).note_arrived([user.clone()]);
        }
        let audience = self.known_audience(user).await?;
        let _turn = self.turns.next(user, Kind::Write).await;
        let version = self.router.next_version();
        let statuses = within(timeout, self.store.statuses(std::slice::from_ref(user))).await?;
        let last_seen_at = last_seen_at.filter(|_| statuses.is_empty());
        let shown = shown(statuses, version).pop();
        let status = shown.map_or(PresenceStatus::Offline, |entry| entry.status);
        let entry = PresenceEntry { user_id: user.clone(), status, last_seen_at, version };
        self.show(entry, &audience);
        Ok(())
    }
}

/// Contacts by the conversations through which their nodes hear of the user: as few messages as there
/// are of those, and to each contact one.
fn by_conversation(contacts: &[Contact]) -> HashMap<ConversationId, Vec<UserId>> {
    let mut groups: HashMap<_, Vec<_>> = HashMap::new();
    for Contact { user_id, conversation_id } in contacts {
        groups.entry(*conversation_id).or_default().push(user_id.clone());
    }
    groups
}
