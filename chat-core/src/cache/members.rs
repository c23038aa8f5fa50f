use async_trait::async_trait;
use chat_proto::{ConversationId, Member, MemberProfile, UserId};
use jiff::Timestamp;

use super::CachedStore;
use super::generations::Topic;
use super::shelf::Answer;
use crate::store::{Circle, JoinOutcome, LeaveOutcome, MemberStore, Membership, StoreError};

#[async_trait]
impl MemberStore for CachedStore {
    async fn join(
        &self,
        conversation: ConversationId,
        user: &UserId,
        at: Timestamp,
        max_memberships: usize,
    ) -> Result<JoinOutcome, StoreError> {
        let _writing = self.writing(moved(conversation, user));
        self.store.join(conversation, user, at, max_memberships).await
    }

    async fn chosen(&self, user: &UserId) -> Result<usize, StoreError> {
        self.store.chosen(user).await
    }

    async fn leave(
        &self,
        conversation: ConversationId,
        user: &UserId,
        even_as_last: bool,
    ) -> Result<LeaveOutcome, StoreError> {
        let _writing = self.writing(moved(conversation, user));
        self.store.leave(conversation, user, even_as_last).await
    }

    async fn member(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<Member>, StoreError> {
        let read = async {
            let found = self.store.member(conversation, user).await?;
            let depends_on = self.slots([Topic::Members(conversation)]);
            Ok(found.map(|value| Answer { value, depends_on }))
        };
        self.memberships.get_or_read((conversation, user.clone()), read).await
    }

    async fn members<'a>(
        &self,
        conversation: ConversationId,
        after: Option<&'a UserId>,
        limit: usize,
    ) -> Result<Vec<MemberProfile>, StoreError> {
        let read = async {
            let page = self.store.members(conversation, after, limit).await?;
            if page.is_empty() {
                return Ok(None);
            }
            let records = page.iter().map(|profile| Topic::Record(&profile.user.id));
            let depends_on = self.slots(records.chain([Topic::Members(conversation)]));
            Ok(Some(Answer { value: page, depends_on }))
        };
        let page = self.members.get_or_read((conversation, after.cloned(), limit), read).await?;
        Ok(page.unwrap_or_default())
    }

    async fn memberships(&self, users: &[UserId]) -> Result<Vec<Membership>, StoreError> {
        self.store.memberships(users).await
    }

    async fn circles(
        &self,
        users: &[UserId],
        max_members: usize,
        limit: usize,
    ) -> Result<Vec<Circle>, StoreError> {
        self.store.circles(users, max_members, limit).await
    }
}

/// What changes when a user becomes a member, or ceases to be one.
pub(super) fn moved(conversation: ConversationId, user: &UserId) -> [Topic<'_>; 3] {
    [Topic::Members(conversation), Topic::Changes(conversation), Topic::Inbox(user)]
}
