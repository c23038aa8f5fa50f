//! Who is seen to be online, and by whom.

use std::time::Duration;

use chat_proto::{PresenceEntry, PresenceStatus, UserId};

use super::{Audience, Presence};
use crate::config::PresenceScope;
use crate::error::ChatError;
use crate::router::MAX_CONTACTS;
use crate::sharded::lock;
use crate::store::StoreError;
use crate::within::within;

/// How long a look at somebody's presence may take that only adds to an answer.
const GLANCE: Duration = Duration::from_millis(500);

impl Presence {
    /// Whether a user is online, as others see it. An unknown answer is no.
    pub(crate) async fn is_shown_online(&self, user: &UserId) -> bool {
        if lock(&self.here).is_away() {
            return false;
        }
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
        if lock(&self.here).is_away() {
            return Err(StoreError::unavailable("the presence store did not answer lately").into());
        }
        let timeout = self.config.call_timeout();
        let audience = match known {
            Some(audience) => audience,
            None => self.audience(user, &[]).await?,
        };
        let version = self.router.next_version();
        let statuses = match audience {
            Audience::Contacts(circle) => {
                let contacts: Vec<_> = circle.contacts.into_iter().map(|one| one.user_id).collect();
                within(timeout, self.store.statuses(&contacts)).await?
            }
            Audience::Companions(conversations) => {
                let companions = self.router.companions(user, &conversations);
                within(timeout, self.store.statuses(&companions)).await?
            }
            Audience::Everyone => within(timeout, self.store.online(MAX_CONTACTS)).await?,
        };
        let mut entries = shown(statuses, version);
        entries.retain(|entry| entry.user_id != *user);
        Ok(entries)
    }

    /// Who is online among some other members of a conversation that a user has just joined, which has
    /// so many members; nobody where members do not see each other, or see everybody already.
    pub(crate) async fn of_members(
        &self,
        others: Vec<UserId>,
        member_count: u64,
    ) -> Vec<PresenceEntry> {
        let is_small = member_count <= self.config.limits.presence_members as u64;
        if self.config.presence_scope == PresenceScope::Everyone
            || !is_small
            || others.is_empty()
            || lock(&self.here).is_away()
        {
            return Vec::new();
        }
        let version = self.router.next_version();
        // Who is there is worth less than the conversation that it is told with.
        let statuses = within(self.config.call_timeout(), self.store.statuses(&others)).await;
        shown(statuses.unwrap_or_default(), version)
    }
}

/// Those who are shown as being here, by an answer that was asked for after this number was taken.
pub(super) fn shown(statuses: Vec<(UserId, PresenceStatus)>, version: u64) -> Vec<PresenceEntry> {
    statuses
        .into_iter()
        .map(|(user_id, status)| (user_id, status.as_shown()))
        .filter(|(_, status)| *status != PresenceStatus::Offline)
        .map(|(user_id, status)| PresenceEntry { user_id, status, last_seen_at: None, version })
        .collect()
}
