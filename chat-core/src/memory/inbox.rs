use std::cmp::Reverse;

use async_trait::async_trait;
use chat_proto::{ConversationId, ConversationKind, ConversationSummary, MessagePreview, UserId};

use super::MemoryStore;
use super::data::{self, Data, Record};
use crate::store::{
    InboxPosition, InboxStore, Membership, Overview, Standing, StoreError, UnreadTotal,
};

#[async_trait]
impl InboxStore for MemoryStore {
    async fn summaries(
        &self,
        user: &UserId,
        after: Option<InboxPosition>,
        limit: usize,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        Ok(self.lock().summaries(user, after, limit))
    }

    async fn summary(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<ConversationSummary>, StoreError> {
        let data = self.lock();
        let joined = data.joined(conversation, user);
        Ok(joined.map(|(record, entry)| data.summary(record, entry)))
    }

    async fn unread_total(&self, user: &UserId) -> Result<UnreadTotal, StoreError> {
        let data = self.lock();
        let mut total = UnreadTotal::default();
        for (record, entry) in data.conversations_of(user) {
            let (unread, unread_mentions) = record.unread(user, entry.read_seq);
            total.unread += unread;
            total.unread_mentions += unread_mentions;
            total.conversations += u64::from(unread > 0);
        }
        Ok(total)
    }

    async fn overview(&self, user: &UserId, limit: usize) -> Result<Overview, StoreError> {
        let data = self.lock();
        let standings = data.conversations_of(user).map(|(record, entry)| Standing {
            membership: Membership {
                user_id: user.clone(),
                conversation_id: record.conversation.id,
                change_seq: entry.member.change_seq,
            },
            head: record.head(),
        });
        let standings = standings.collect();
        Ok(Overview { standings, summaries: data.summaries(user, None, limit) })
    }
}

impl Data {
    fn summaries(
        &self,
        user: &UserId,
        after: Option<InboxPosition>,
        limit: usize,
    ) -> Vec<ConversationSummary> {
        let mut entries: Vec<_> = self
            .conversations_of(user)
            .map(|(record, entry)| {
                (Reverse((record.last_activity_at(), record.conversation.id)), record, entry)
            })
            .filter(|(place, ..)| {
                after.is_none_or(|after| *place > Reverse((after.last_activity_at, after.id)))
            })
            .collect();
        entries.sort_by_key(|(place, ..)| *place);
        entries.truncate(limit);
        entries.into_iter().map(|(_, record, entry)| self.summary(record, entry)).collect()
    }

    fn summary(&self, record: &Record, entry: &data::Membership) -> ConversationSummary {
        let user = &entry.member.user_id;
        let direct = record.conversation.kind == ConversationKind::Direct;
        let peer = record.members.values().find(|other| direct && other.member.user_id != *user);
        let (unread, unread_mentions) = record.unread(user, entry.read_seq);
        ConversationSummary {
            conversation_id: record.conversation.id,
            conversation: record.conversation.clone(),
            peer: peer.and_then(|peer| self.users.get(&peer.member.user_id)).cloned(),
            last_seq: record.last_seq(),
            change_seq: record.change_seq,
            read_seq: entry.read_seq,
            delivered_seq: entry.delivered_seq,
            peer_read_seq: peer.map(|peer| peer.read_seq),
            peer_delivered_seq: peer.map(|peer| peer.delivered_seq),
            unread,
            unread_mentions,
            preview: record.messages.last().map(MessagePreview::from),
            last_activity_at: record.last_activity_at(),
        }
    }
}
