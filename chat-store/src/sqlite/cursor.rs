use async_trait::async_trait;
use chat_core::proto::{ConversationId, UserId};
use chat_core::store::{CursorAdvance, CursorKind, CursorStore, StoreError};
use sqlx::SqliteConnection;

use super::SqliteStore;
use crate::cursor::{Standing, Step, counted_through, unread, unread_mentions};
use crate::failure::Failure;
use crate::record::read_optional;
use crate::value::integer;

const STANDING: &str = "SELECT c.read_seq, c.delivered_seq, h.last_seq
     FROM chat_member b
     JOIN chat_cursor c ON c.conversation_id = b.conversation_id AND c.user_id = b.user_id
     JOIN chat_head h ON h.conversation_id = b.conversation_id
     WHERE b.conversation_id = ?1 AND b.user_id = ?2 AND b.state = 'joined'";

pub(super) const COUNTS: &str = concat!(
    "SELECT ",
    unread!("?1", "?2", "?3"),
    " AS unread, ",
    unread_mentions!("?1", "?2", "?3"),
    " AS unread_mentions, ",
    counted_through!("?1"),
    " AS counted_through,
      (SELECT count(*) FROM chat_message p
       WHERE p.conversation_id = ?1 AND p.seq > ?4 AND p.seq <= ?5 AND p.sender_id <> ?2)
      AS passed"
);

#[async_trait]
impl CursorStore for SqliteStore {
    async fn advance(
        &self,
        conversation: ConversationId,
        user: &UserId,
        kind: CursorKind,
        seq: Option<u64>,
    ) -> Result<Option<CursorAdvance>, StoreError> {
        let mut reader = self.reader().await?;
        let Some(standing) = standing(&mut reader, conversation, user).await? else {
            return Ok(None);
        };
        let mut step = standing.step(kind, seq);
        if step.moves() {
            // Who waits for a turn to write should not keep a connection from those who read.
            drop(reader);
            match self.take_step(conversation, user.clone(), kind, seq).await? {
                Some(taken) => step = taken,
                None => return Ok(None),
            }
            reader = self.reader().await?;
        }
        let row = sqlx::query(COUNTS)
            .bind(conversation.as_uuid())
            .bind(user.as_str())
            .bind(integer(step.read_seq))
            .bind(integer(step.from))
            .bind(integer(step.to))
            .fetch_one(&mut *reader)
            .await
            .map_err(Failure::from)?;
        Ok(Some(step.advance(&row).map_err(Failure::from)?))
    }
}

impl SqliteStore {
    async fn take_step(
        &self,
        conversation: ConversationId,
        user: UserId,
        kind: CursorKind,
        seq: Option<u64>,
    ) -> Result<Option<Step>, Failure> {
        let work = self.writer.write(move |connection| {
            Box::pin(async move {
                let Some(standing) = standing(connection, conversation, &user).await? else {
                    return Ok(None);
                };
                let step = standing.step(kind, seq);
                sqlx::query(
                    "UPDATE chat_cursor SET read_seq = ?3, delivered_seq = ?4
                     WHERE conversation_id = ?1 AND user_id = ?2",
                )
                .bind(conversation.as_uuid())
                .bind(user.as_str())
                .bind(integer(step.read_seq))
                .bind(integer(step.delivered_seq))
                .execute(connection)
                .await?;
                Ok(Some(step))
            })
        });
        work.await
    }
}

async fn standing(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    user: &UserId,
) -> Result<Option<Standing>, Failure> {
    let query = sqlx::query(STANDING).bind(conversation.as_uuid()).bind(user.as_str());
    read_optional(query.fetch_optional(connection).await?.as_ref(), Standing::read)
}
