use std::ops::RangeInclusive;

use async_trait::async_trait;
use chat_core::proto::{ConversationId, Message, MessageBody, MessageId, UserId};
use chat_core::store::{AppendOutcome, Changes, Head, MessageDraft, MessageStore, StoreError};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::error::Failure;
use super::row::{Columns, Hex, integer, json};
use super::{append, changes};

/// The columns of a message in a table `m`.
macro_rules! message_columns {
    () => {
        "m.id AS message_id, m.conversation_id AS sent_to, m.seq, m.change_seq, m.sender_id, \
         m.client_id, m.created_at AS sent_at, m.mentions, m.content"
    };
}
pub(super) use message_columns;

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
        let outcome = self
            .writer
            .write(|connection| Box::pin(async move { append::append(connection, drafts).await }));
        Ok(outcome.await?)
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        let query = sqlx::query(BY_ID).bind(id.as_uuid());
        let row = query.fetch_optional(&self.readers).await.map_err(Failure::from)?;
        Ok(row.as_ref().map(read_message).transpose().map_err(Failure::from)?)
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
        Ok(rows.iter().map(read_message).collect::<Result<_, _>>().map_err(Failure::from)?)
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
        Ok(rows.iter().map(read_head).collect::<Result<_, _>>().map_err(Failure::from)?)
    }

    async fn visible_head(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<Head>, StoreError> {
        let query = sqlx::query(VISIBLE_HEAD).bind(conversation.as_uuid()).bind(user.as_str());
        let row = query.fetch_optional(&self.readers).await.map_err(Failure::from)?;
        Ok(row.as_ref().map(read_head).transpose().map_err(Failure::from)?)
    }
}

/// Reads the columns of a head.
pub(super) fn read_head(row: &SqliteRow) -> sqlx::Result<Head> {
    Ok(Head {
        conversation_id: row.id("conversation_id")?,
        last_seq: row.number("last_seq")?,
        change_seq: row.number("change_seq")?,
    })
}

/// Reads [`message_columns!`].
pub(super) fn read_message(row: &SqliteRow) -> sqlx::Result<Message> {
    let mentions: Option<&str> = row.try_get("mentions")?;
    let mentions = mentions.map(serde_json::from_str).transpose().map_err(|error| {
        sqlx::Error::ColumnDecode { index: "mentions".into(), source: Box::new(error) }
    })?;
    Ok(Message {
        id: row.id("message_id")?,
        conversation_id: row.id("sent_to")?,
        seq: row.number("seq")?,
        change_seq: row.number("change_seq")?,
        sender_id: row.parsed("sender_id")?,
        client_id: row.parsed("client_id")?,
        content: MessageBody::from_stored(row.try_get("content")?),
        mentions: mentions.unwrap_or_default(),
        created_at: row.time("sent_at")?,
    })
}
