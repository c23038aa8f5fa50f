use async_trait::async_trait;
use chat_core::proto::{ConversationId, UserId};
use chat_core::store::{CursorAdvance, CursorKind, CursorStore, StoreError};
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::server::Repeat;
use super::session::Session;
use super::statement::sql;
use crate::cursor::{Standing, counted_through, unread, unread_mentions};
use crate::failure::Failure;
use crate::value::integer;

/// Where a member's cursors stand, and what is told when they stay there.
pub(super) const STANDING: &str = concat!(
    "SELECT c.read_seq, c.delivered_seq, h.last_seq, h.last_seq AS counted_through,
      0::bigint AS passed, ",
    unread!("$1", "$2", "c.read_seq"),
    " AS unread, ",
    unread_mentions!("$1", "$2", "c.read_seq"),
    " AS unread_mentions
      FROM chat_member b
      JOIN chat_cursor c ON c.conversation_id = b.conversation_id AND c.user_id = b.user_id
      JOIN chat_head h ON h.conversation_id = b.conversation_id
      WHERE b.conversation_id = $1 AND b.user_id = $2 AND b.state = 'joined'"
);

const LOCK: &str = "SELECT c.read_seq, c.delivered_seq, h.last_seq
     FROM chat_member b
     JOIN chat_cursor c ON c.conversation_id = b.conversation_id AND c.user_id = b.user_id
     JOIN chat_head h ON h.conversation_id = b.conversation_id
     WHERE b.conversation_id = $1 AND b.user_id = $2 AND b.state = 'joined' FOR UPDATE OF c";

/// Moves both cursors, and counts what the one has passed and what is before the other.
pub(super) const MOVE: &str = concat!(
    "WITH moved AS (
       UPDATE chat_cursor SET read_seq = $3, delivered_seq = $4
       WHERE conversation_id = $1 AND user_id = $2)
     SELECT ",
    unread!("$1", "$2", "$3"),
    " AS unread, ",
    unread_mentions!("$1", "$2", "$3"),
    " AS unread_mentions, ",
    counted_through!("$1"),
    " AS counted_through,
      (SELECT count(*) FROM chat_message p
       WHERE p.conversation_id = $1 AND p.seq > $5 AND p.seq <= $6 AND p.sender_id <> $2)
      AS passed"
);

#[async_trait]
impl CursorStore for PostgresStore {
    async fn advance(
        &self,
        conversation: ConversationId,
        user: &UserId,
        kind: CursorKind,
        seq: Option<u64>,
    ) -> Result<Option<CursorAdvance>, StoreError> {
        let standing = sql(STANDING).bind(conversation.as_uuid()).bind(user.as_str());
        let Some(row) = self.primary.row(standing).await? else { return Ok(None) };
        if let Some(told) = stay(&row, kind, seq).map_err(Failure::from)? {
            return Ok(Some(told));
        }
        let user = user.clone();
        let outcome = self.primary.write(Repeat::Harmless, move |session| {
            let user = user.clone();
            Box::pin(async move { advance(session, conversation, &user, kind, seq).await })
        });
        Ok(outcome.await?)
    }
}

/// What is told if the cursor is not to move.
fn stay(row: &PgRow, kind: CursorKind, seq: Option<u64>) -> sqlx::Result<Option<CursorAdvance>> {
    let step = Standing::read(row)?.step(kind, seq);
    (!step.moves()).then(|| step.advance(row)).transpose()
}

async fn advance(
    session: &mut Session,
    conversation: ConversationId,
    user: &UserId,
    kind: CursorKind,
    seq: Option<u64>,
) -> Result<Option<CursorAdvance>, Failure> {
    let lock = sql(LOCK).bind(conversation.as_uuid()).bind(user.as_str());
    let Some(row) = session.row(lock).await? else { return Ok(None) };
    let step = Standing::read(&row)?.step(kind, seq);
    let moves = sql(MOVE)
        .bind(conversation.as_uuid())
        .bind(user.as_str())
        .bind(integer(step.read_seq))
        .bind(integer(step.delivered_seq))
        .bind(integer(step.from))
        .bind(integer(step.to));
    Ok(Some(step.advance(&session.one(moves).await?)?))
}
