use std::collections::HashSet;
use std::ops::RangeInclusive;

use async_trait::async_trait;
use chat_proto::{
    ChangeEvent, ConversationId, Member, MemberState, Message, MessageId, UserId, mentioned,
};

use super::data::{Data, Record};
use super::{MemoryStore, to_microsecond};
use crate::store::{AppendOutcome, Changes, Head, MessageDraft, MessageStore, StoreError};

#[async_trait]
impl MessageStore for MemoryStore {
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let mut data = self.lock();
        data.require_new_ids(&drafts)?;
        Ok(drafts.into_iter().map(|draft| data.append(draft)).collect())
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        let data = self.lock();
        let place = data.messages.get(&id);
        Ok(place.map(|(conversation, seq)| data.conversations[conversation].message(*seq).clone()))
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        seqs: RangeInclusive<u64>,
    ) -> Result<Vec<Message>, StoreError> {
        let data = self.lock();
        let Some(record) = data.conversations.get(&conversation) else { return Ok(Vec::new()) };
        let from = record.after(seqs.start().saturating_sub(1));
        Ok(from.take_while(|message| message.seq <= *seqs.end()).cloned().collect())
    }

    async fn changes(
        &self,
        conversation: ConversationId,
        since: u64,
        limit: usize,
    ) -> Result<Changes, StoreError> {
        let data = self.lock();
        let Some(record) = data.conversations.get(&conversation) else {
            return Ok(Changes { events: Vec::new(), through: 0, complete: true });
        };
        let mut events: Vec<_> = data.changed(record, since).collect();
        events.sort_by_key(ChangeEvent::change_seq);
        let complete = events.len() <= limit.max(1);
        events.truncate(limit.max(1));
        let last = events.last().map(ChangeEvent::change_seq).filter(|_| !complete);
        Ok(Changes { events, through: last.unwrap_or(record.change_seq), complete })
    }

    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Head>, StoreError> {
        let data = self.lock();
        let mut ids = conversations.to_vec();
        ids.sort();
        ids.dedup();
        let known = ids.into_iter().filter_map(|id| data.conversations.get(&id));
        Ok(known.map(Record::head).collect())
    }

    async fn visible_head(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<Head>, StoreError> {
        Ok(self.lock().joined(conversation, user).map(|(record, _)| record.head()))
    }
}

impl Data {
    /// Refuses a batch that would store a second message of an id, as databases do by a unique key.
    fn require_new_ids(&self, drafts: &[MessageDraft]) -> Result<(), StoreError> {
        let (mut ids, mut sent) = (HashSet::new(), HashSet::new());
        for draft in drafts {
            let key = (draft.sender_id.clone(), draft.client_id.clone());
            let new = self
                .joined(draft.conversation_id, &draft.sender_id)
                .is_some_and(|(record, _)| !record.sent.contains_key(&key))
                && sent.insert((draft.conversation_id, key));
            if new && (self.messages.contains_key(&draft.id) || !ids.insert(draft.id)) {
                return Err(StoreError::failed("there is a message with this id"));
            }
        }
        Ok(())
    }

    fn append(&mut self, draft: MessageDraft) -> AppendOutcome {
        if self.joined(draft.conversation_id, &draft.sender_id).is_none() {
            return AppendOutcome::NotMember;
        }
        let mentions = self.mentioned(&draft);
        let activity = self.next_activity();
        let Some(record) = self.conversations.get_mut(&draft.conversation_id) else {
            return AppendOutcome::NotMember;
        };
        let key = (draft.sender_id.clone(), draft.client_id.clone());
        if let Some(seq) = record.sent.get(&key) {
            return AppendOutcome::Repeated(record.message(*seq).clone());
        }
        record.change_seq += 1;
        let message = Message {
            id: draft.id,
            conversation_id: draft.conversation_id,
            seq: record.last_seq() + 1,
            change_seq: record.change_seq,
            sender_id: draft.sender_id,
            client_id: draft.client_id,
            content: draft.content,
            mentions,
            created_at: to_microsecond(draft.created_at),
        };
        record.activity = activity;
        record.last_activity_at = record.last_activity_at.max(message.created_at);
        record.sent.insert(key, message.seq);
        record.messages.push(message.clone());
        self.messages.insert(message.id, (message.conversation_id, message.seq));
        AppendOutcome::Stored(message)
    }

    /// The members that a draft mentions, each once, in the order of its text.
    fn mentioned(&self, draft: &MessageDraft) -> Vec<UserId> {
        mentioned(&draft.mentions, |key| {
            let user = self.user_keys.get(key)?;
            self.joined(draft.conversation_id, user).map(|_| user.clone())
        })
    }

    /// What has changed after one number, up to another.
    pub(super) fn changes(&self, record: &Record, since: u64, until: u64) -> Changes {
        let changed = self.changed(record, since);
        let mut events: Vec<_> = changed.filter(|event| event.change_seq() <= until).collect();
        events.sort_by_key(ChangeEvent::change_seq);
        Changes { events, through: until, complete: until >= record.change_seq }
    }

    /// The state of everything in a conversation that a change after `since` touched last.
    fn changed<'a>(
        &'a self,
        record: &'a Record,
        since: u64,
    ) -> impl Iterator<Item = ChangeEvent> + 'a {
        let known = record.messages.partition_point(|message| message.change_seq <= since);
        let messages = record.messages[known..].iter().map(|message| ChangeEvent::MessageCreated {
            conversation_id: message.conversation_id,
            change_seq: message.change_seq,
            message: message.clone(),
        });
        let members = record.members.values().filter_map(move |entry| {
            let member = self.profile(&entry.member)?;
            let Member { conversation_id, change_seq, state, .. } = entry.member;
            Some(match state {
                MemberState::Left => {
                    ChangeEvent::MemberLeft { conversation_id, change_seq, member }
                }
                MemberState::Joined if entry.joined_seq <= since => {
                    ChangeEvent::MemberUpdated { conversation_id, change_seq, member }
                }
                _ => ChangeEvent::MemberJoined { conversation_id, change_seq, member },
            })
        });
        messages.chain(members).filter(move |event| event.change_seq() > since)
    }
}

impl Record {
    fn message(&self, seq: u64) -> &Message {
        &self.messages[usize::try_from(seq).unwrap_or_default() - 1]
    }

    pub(super) const fn head(&self) -> Head {
        Head {
            conversation_id: self.conversation.id,
            last_seq: self.last_seq(),
            change_seq: self.change_seq,
        }
    }
}
