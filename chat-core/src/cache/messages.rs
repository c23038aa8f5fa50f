use std::ops::RangeInclusive;

use async_trait::async_trait;
use chat_proto::{ConversationId, Message, MessageId, UserId};

use super::CachedStore;
use super::generations::Topic;
use super::shelf::Answer;
use super::users::split;
use crate::store::{
    AppendOutcome, Changes, CursorAdvance, CursorKind, CursorStore, Head, MessageDraft,
    MessageStore, ProbeStore, StoreError,
};

#[async_trait]
impl MessageStore for CachedStore {
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        // The senders' lists by themselves, too: a list that was read before its user joined, by a
        // join that this node has not heard of, depends on fewer conversations than it should.
        let _writing = self.writing(drafts.iter().flat_map(|draft| {
            [Topic::Changes(draft.conversation_id), Topic::Inbox(&draft.sender_id)]
        }));
        self.store.append(drafts).await
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.store.message(id).await
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        seqs: RangeInclusive<u64>,
    ) -> Result<Vec<Message>, StoreError> {
        self.store.messages(conversation, seqs).await
    }

    async fn changes(
        &self,
        conversation: ConversationId,
        since: u64,
        limit: usize,
    ) -> Result<Changes, StoreError> {
        self.store.changes(conversation, since, limit).await
    }

    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Head>, StoreError> {
        let (mut found, missing) = split(&self.heads, conversations);
        if !missing.is_empty() {
            let mark = self.freshness.mark();
            for head in self.store.heads(&missing).await? {
                self.heads.keep(head.conversation_id, self.head(head), mark);
                found.push(head);
            }
        }
        Ok(found)
    }

    async fn visible_head(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<Head>, StoreError> {
        self.store.visible_head(conversation, user).await
    }
}

#[async_trait]
impl CursorStore for CachedStore {
    async fn advance(
        &self,
        conversation: ConversationId,
        user: &UserId,
        kind: CursorKind,
        seq: Option<u64>,
    ) -> Result<Option<CursorAdvance>, StoreError> {
        let _writing = self.writing([Topic::Cursors(conversation), Topic::Inbox(user)]);
        self.store.advance(conversation, user, kind, seq).await
    }
}

#[async_trait]
impl ProbeStore for CachedStore {
    async fn probe(&self) -> Result<(), StoreError> {
        self.store.probe().await
    }
}

impl CachedStore {
    pub(super) fn head(&self, head: Head) -> Answer<Head> {
        Answer { depends_on: self.slots([Topic::Changes(head.conversation_id)]), value: head }
    }
}
