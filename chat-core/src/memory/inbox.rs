use std::cmp::Reverse;

use async_trait::async_trait;
use chat_proto::{ConversationId, ConversationKind, ConversationSummary, MessagePreview, UserId};

use super::MemoryStore;
use super::data::{self, Data, Record};
use crate::store::{
    InboxPosition, InboxStore, Known, Membership, Missed, Overview, Standing, StoreError,
    UnreadTotal,
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
            total.through += record.change_seq;
        }
        Ok(total)
    }

    async fn overviews(&self, users: &[UserId], limit: usize) -> Result<Vec<Overview>, StoreError> {
        let data = self.lock();
        Ok(users.iter().map(|user| data.overview(user, limit)).collect())
    }

    async fn missed(
        &self,
        questions: &[Known],
        max_gap: u64,
        limit: usize,
    ) -> Result<Vec<Vec<Missed>>, StoreError> {
        let data = self.lock();
        Ok(questions.iter().map(|known| data.missed(known, max_gap, limit as u64)).collect())
    }
}

impl Data {
    fn overview(&self, user: &UserId, limit: usize) -> Overview {
        let standings = self.conversations_of(user).map(|(record, entry)| Standing {
            membership: Membership {
                user_id: user.clone(),
                conversation_id: record.conversation.id,
                change_seq: entry.joined_seq,
            },
            head: record.head(),
        });
        Overview { standings: standings.collect(), summaries: self.summaries(user, None, limit) }
    }

    fn missed(&self, known: &Known, max_gap: u64, limit: u64) -> Vec<Missed> {
        let mut left = limit;
        let joined = known.changes.iter().filter_map(|&(conversation_id, since)| {
            let (record, _) = self.joined(conversation_id, &known.user_id)?;
            let gap = record.change_seq.checked_sub(since).filter(|gap| *gap <= max_gap);
            let counted = gap.unwrap_or_default().min(left);
            left -= counted;
            let changes = (counted > 0).then(|| self.changes(record, since, since + counted));
            Some(Missed { conversation_id, change_seq: record.change_seq, changes })
        });
        joined.collect()
    }

    fn summaries(
        &self,
        user: &UserId,
        after: Option<InboxPosition>,
        limit: usize,
    ) -> Vec<ConversationSummary> {
        let mut entries: Vec<_> = self
            .conversations_of(user)
            .map(|(record, entry)| {
                let place = InboxPosition {
                    activity: record.activity,
                    last_activity_at: record.last_activity_at,
                    id: record.conversation.id,
                };
                (Reverse(place), record, entry)
            })
            .filter(|(place, ..)| after.is_none_or(|after| *place > Reverse(after)))
            .collect();
        entries.sort_by_key(|(place, ..)| *place);
        entries.truncate(limit);
        entries.into_iter().map(|(_, record, entry)| self.summary(record, entry)).collect()
    }

    pub(super) fn summary(&self, record: &Record, entry: &data::Membership) -> ConversationSummary {
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
            last_activity_at: record.last_activity_at,
            activity: record.activity,
        }
    }
}
