use std::ops::RangeInclusive;

use async_trait::async_trait;
use chat_core::proto::{ConversationId, Message, MessageId, UserId};
use chat_core::store::{AppendOutcome, Changes, Head, MessageDraft, MessageStore, StoreError};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::server::Repeat;
use super::statement::{Statement, sql};
use super::{PostgresStore, append, changes};
use crate::failure::Failure;
use crate::record::{message_columns, read_all, read_head, read_message, read_optional};
use crate::value::integer;

pub(super) const BY_ID: &str =
    concat!("SELECT ", message_columns!(), " FROM chat_message m WHERE m.id = $1");

pub(super) const HISTORY: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM chat_message m WHERE m.conversation_id = $1 AND m.seq BETWEEN $2 AND $3
      ORDER BY m.seq"
);

pub(super) const HEADS: &str = "SELECT h.conversation_id, h.last_seq, h.change_seq
     FROM chat_head h WHERE h.conversation_id = ANY ($1)";

pub(super) const VISIBLE_HEAD: &str = "SELECT h.conversation_id, h.last_seq, h.change_seq
     FROM chat_member b JOIN chat_head h ON h.conversation_id = b.conversation_id
     WHERE b.conversation_id = $1 AND b.user_id = $2 AND b.state = 'joined'";

#[async_trait]
impl MessageStore for PostgresStore {
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let outcome = self.primary.write(Repeat::Harmless, move |session| {
            let drafts = drafts.clone();
            Box::pin(append::append(session, drafts))
        });
        Ok(outcome.await?)
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        // A message that the replica has is that message; one that it lacks may be on its way.
        let rows = self.rows_of_either(sql(BY_ID).bind(id.as_uuid()), |rows| !rows.is_empty());
        Ok(read_optional(rows.await?.first(), read_message)?)
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        seqs: RangeInclusive<u64>,
    ) -> Result<Vec<Message>, StoreError> {
        let history = sql(HISTORY)
            .bind(conversation.as_uuid())
            .bind(integer(*seqs.start()))
            .bind(integer(*seqs.end()));
        // Numbers have no holes: a range that is full is whole.
        let asked = seqs.end().saturating_sub(*seqs.start()).saturating_add(1);
        let rows = self.rows_of_either(history, |rows| rows.len() as u64 == asked).await?;
        Ok(read_all(&rows, read_message)?)
    }

    async fn changes(
        &self,
        conversation: ConversationId,
        since: u64,
        limit: usize,
    ) -> Result<Changes, StoreError> {
        Ok(changes::changes(&self.primary, conversation, since, limit.max(1)).await?)
    }

    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Head>, StoreError> {
        let ids: Vec<Uuid> = conversations.iter().map(|id| id.as_uuid()).collect();
        Ok(read_all(&self.primary.rows(sql(HEADS).bind(ids)).await?, read_head)?)
    }

    async fn visible_head(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<Head>, StoreError> {
        let head = sql(VISIBLE_HEAD).bind(conversation.as_uuid()).bind(user.as_str());
        Ok(read_optional(self.primary.row(head).await?.as_ref(), read_head)?)
    }
}

impl PostgresStore {
    /// What the replica has to say if that is all there is to say, or else what the primary says.
    pub(super) async fn rows_of_either(
        &self,
        statement: Statement,
        is_all: impl Fn(&[PgRow]) -> bool + Send,
    ) -> Result<Vec<PgRow>, Failure> {
        if let Some(replica) = &self.replica
            && let Some(rows) = replica.rows(statement.clone()).await
            && is_all(&rows)
        {
            return Ok(rows);
        }
        self.primary.rows(statement).await
    }
}
