use std::ops::RangeInclusive;

use async_trait::async_trait;
use chat_core::proto::{ConversationId, Message, MessageId, UserId};
use chat_core::store::{AppendOutcome, Changes, Head, MessageDraft, MessageStore, StoreError};

use super::append::lone;
use super::hex::Hex;
use super::{SqliteStore, append, changes};
use crate::failure::Failure;
use crate::record::{message_columns, read_all, read_head, read_message, read_optional};
use crate::value::{integer, json};

pub(super) const BY_ID: &str =
    concat!("SELECT ", message_columns!(), " FROM chat_message m WHERE m.id = ?1");

pub(super) const HISTORY: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM chat_message m WHERE m.conversation_id = ?1 AND m.seq BETWEEN ?2 AND ?3
      ORDER BY m.seq"
);

pub(super) const HEADS: &str = "SELECT h.conversation_id, h.last_seq, h.change_seq
     FROM chat_head h WHERE h.conversation_id IN (SELECT unhex(value) FROM json_each(?1))";

pub(super) const VISIBLE_HEAD: &str = "SELECT h.conversation_id, h.last_seq, h.change_seq
     FROM chat_member b JOIN chat_head h ON h.conversation_id = b.conversation_id
     WHERE b.conversation_id = ?1 AND b.user_id = ?2 AND b.state = 'joined'";

#[async_trait]
impl MessageStore for SqliteStore {
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        if let [draft] = drafts.as_slice()
            && lone::takes(draft)
        {
            let activity = self.activity.next(1).await?;
            return Ok(vec![lone::append(&self.writer, draft, activity).await?]);
        }
        let activity = self.activity.next(drafts.len()).await?;
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move { append::append(connection, drafts, activity).await })
        });
        Ok(outcome.await?)
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        let query = sqlx::query(BY_ID).bind(id.as_uuid());
        let row = query.fetch_optional(&self.readers).await.map_err(Failure::from)?;
        Ok(read_optional(row.as_ref(), read_message)?)
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        seqs: RangeInclusive<u64>,
    ) -> Result<Vec<Message>, StoreError> {
        let query = sqlx::query(HISTORY)
            .bind(conversation.as_uuid())
            .bind(integer(*seqs.start()))
            .bind(integer(*seqs.end()));
        let rows = query.fetch_all(&self.readers).await.map_err(Failure::from)?;
        Ok(read_all(&rows, read_message)?)
    }

    async fn changes(
        &self,
        conversation: ConversationId,
        since: u64,
        limit: usize,
    ) -> Result<Changes, StoreError> {
        let mut reader = self.reader().await?;
        Ok(changes::changes(&mut reader, conversation, since, limit.max(1)).await?)
    }

    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Head>, StoreError> {
        let ids: Vec<_> = conversations.iter().map(|id| Hex(id.as_uuid())).collect();
        let query = sqlx::query(HEADS).bind(json(ids)?);
        let rows = query.fetch_all(&self.readers).await.map_err(Failure::from)?;
        Ok(read_all(&rows, read_head)?)
    }

    async fn visible_head(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<Head>, StoreError> {
        let query = sqlx::query(VISIBLE_HEAD).bind(conversation.as_uuid()).bind(user.as_str());
        let row = query.fetch_optional(&self.readers).await.map_err(Failure::from)?;
        Ok(read_optional(row.as_ref(), read_head)?)
    }
}
