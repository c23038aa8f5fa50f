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
    /// Notes when a user was last seen, and tells those who may see the user; `told` is what the
    /// user's devices were told of, as far as that is remembered.
    pub(super) async fn tell_offline(&self, user: &UserId, told: &[ConversationId]) {
        let now = Timestamp::now();
        let recording = self.stores.users.record_last_seen(user, now);
        let recording = within(self.config.call_timeout(), recording);
        let telling = self.tell(user, PresenceStatus::Offline, Some(now), told);
        // At once: those who are connected need not wait for a store that hangs.
        let (recorded, _) = futures::future::join(recording, telling).await;
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

    /// Tells those who may see a user; returns them.
    pub(super) async fn tell(
        &self,
        user: &UserId,
        status: PresenceStatus,
        last_seen_at: Option<Timestamp>,
        told: &[ConversationId],
    ) -> Option<Audience> {
        let audience = self.told(user, told).await?;
        self.tell_to(&audience, user, status, last_seen_at);
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
    pub(super) fn tell_to(
        &self,
        audience: &Audience,
        user: &UserId,
        status: PresenceStatus,
        last_seen_at: Option<Timestamp>,
    ) {
        if matches!(audience, Audience::Companions(_)) {
            self.owe(user, last_seen_at);
        }
        self.show(PresenceEntry { user_id: user.clone(), status, last_seen_at }, audience);
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
        }
        let audience = self.known_audience(user).await?;
        let _turn = self.turn(user).await;
        let statuses = within(timeout, self.store.statuses(std::slice::from_ref(user))).await?;
        let last_seen_at = last_seen_at.filter(|_| statuses.is_empty());
        let status = shown(statuses).pop().map_or(PresenceStatus::Offline, |entry| entry.status);
        self.show(PresenceEntry { user_id: user.clone(), status, last_seen_at }, &audience);
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
