use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use async_trait::async_trait;
use chat_proto::{
    ConversationId, ConversationKind, ConversationSummary, Member, MemberProfile, MemberRole,
    MemberState, PresenceStatus, UserId, Visibility,
};
use jiff::Timestamp;

use super::MemoryStore;
use super::data::Data;
use crate::store::{
    Circle, Contact, JoinOutcome, LeaveOutcome, MemberStore, Membership, StoreError,
};

#[async_trait]
impl MemberStore for MemoryStore {
    async fn join(
        &self,
        conversation: ConversationId,
        user: &UserId,
        at: Timestamp,
        max_memberships: usize,
    ) -> Result<JoinOutcome, StoreError> {
        let mut data = self.lock();
        let open = data.conversations.get(&conversation).is_some_and(|record| {
            record.conversation.kind == ConversationKind::Room
                && record.conversation.visibility == Visibility::Public
        });
        if !open || !data.users.contains_key(user) {
            return Ok(JoinOutcome::NotJoinable);
        }
        if let Some((profile, summary)) = data.seen_by_member(conversation, user) {
            return Ok(JoinOutcome::Already(profile, Box::new(summary)));
        }
        if !data.may_add(user, max_memberships) {
            return Ok(JoinOutcome::TooMany);
        }
        data.join(conversation, user, MemberRole::Member, at);
        Ok(match data.seen_by_member(conversation, user) {
            Some((profile, summary)) => JoinOutcome::Joined(profile, Box::new(summary)),
            None => JoinOutcome::NotJoinable,
        })
    }

    async fn chosen(&self, user: &UserId) -> Result<usize, StoreError> {
        Ok(self.lock().chosen(user))
    }

    async fn leave(
        &self,
        conversation: ConversationId,
        user: &UserId,
        even_as_last: bool,
    ) -> Result<LeaveOutcome, StoreError> {
        let mut data = self.lock();
        let record = data.conversations.get_mut(&conversation);
        let Some(record) = record.filter(|record| record.joined(user).is_some()) else {
            return Ok(LeaveOutcome::NotMember);
        };
        if record.conversation.member_count == 1 && !even_as_last {
            return Ok(LeaveOutcome::LastMember);
        }
        let heir = record.hand_over(user);
        let left = record.leave(user);
        let heir = heir.and_then(|heir| data.profile(&heir)).map(Box::new);
        let left = left.and_then(|left| data.profile(&left));
        Ok(left.map_or(LeaveOutcome::NotMember, |member| LeaveOutcome::Left { member, heir }))
    }

    async fn member(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<Member>, StoreError> {
        Ok(self.lock().joined(conversation, user).map(|(_, entry)| entry.member.clone()))
    }

    async fn members<'a>(
        &self,
        conversation: ConversationId,
        after: Option<&'a UserId>,
        limit: usize,
    ) -> Result<Vec<MemberProfile>, StoreError> {
        let data = self.lock();
        let Some(record) = data.conversations.get(&conversation) else { return Ok(Vec::new()) };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let members = record.members.range::<UserId, _>((from, Bound::Unbounded));
        let joined = members
            .map(|(_, entry)| &entry.member)
            .filter(|member| member.state == MemberState::Joined);
        Ok(joined.take(limit).filter_map(|member| data.profile(member)).collect())
    }

    async fn memberships(&self, users: &[UserId]) -> Result<Vec<Membership>, StoreError> {
        let data = self.lock();
        let users: BTreeSet<_> = users.iter().collect();
        Ok(users.into_iter().flat_map(|user| data.memberships(user)).collect())
    }

    async fn circles(
        &self,
        users: &[UserId],
        max_members: usize,
        limit: usize,
    ) -> Result<Vec<Circle>, StoreError> {
        let data = self.lock();
        let circles = users.iter().map(|user| Circle {
            memberships: data.memberships(user).collect(),
            contacts: data.contacts(user, max_members, limit),
            chosen: data.chosen.get(user).copied().unwrap_or(PresenceStatus::Online),
        });
        Ok(circles.collect())
    }
}

impl Data {
    fn memberships<'a>(&'a self, user: &'a UserId) -> impl Iterator<Item = Membership> + 'a {
        self.conversations_of(user).map(|(record, entry)| Membership {
            user_id: user.clone(),
            conversation_id: record.conversation.id,
            change_seq: entry.joined_seq,
        })
    }

    /// A member's record, and the conversation as the member sees it.
    fn seen_by_member(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Option<(MemberProfile, ConversationSummary)> {
        let (record, entry) = self.joined(conversation, user)?;
        Some((self.profile(&entry.member)?, self.summary(record, entry)))
    }

    fn contacts(&self, user: &UserId, max_members: usize, limit: usize) -> Vec<Contact> {
        let small = self
            .conversations_of(user)
            .map(|(record, _)| record)
            .filter(|record| record.conversation.member_count <= max_members as u64);
        let mut contacts: BTreeMap<&UserId, ConversationId> = BTreeMap::new();
        for member in small.flat_map(|record| record.members.values()).map(|entry| &entry.member) {
            if member.state == MemberState::Joined && member.user_id != *user {
                let shared = contacts.entry(&member.user_id).or_insert(member.conversation_id);
                *shared = member.conversation_id.min(*shared);
            }
        }
        let contacts = contacts.into_iter().take(limit);
        contacts
            .map(|(user_id, conversation_id)| Contact { user_id: user_id.clone(), conversation_id })
            .collect()
    }
}
