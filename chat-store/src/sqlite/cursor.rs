use async_trait::async_trait;
use chat_core::proto::{ConversationId, UserId};
use chat_core::store::{CursorAdvance, CursorKind, CursorStore, StoreError};
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::error::Failure;
use super::row::{Columns, integer};

/// Messages of others after a cursor, counted up to 100: at most so many are looked at, but for
/// the user's own.
macro_rules! unread {
    ($conversation:literal, $user:literal, $read_seq:literal) => {
        concat!(
            "(SELECT count(*) FROM (SELECT 1 FROM chat_message n WHERE n.conversation_id = ",
            $conversation,
            " AND n.seq > ",
            $read_seq,
            " AND n.sender_id <> ",
            $user,
            " LIMIT 100))"
        )
    };
}

/// Mentions by others after a cursor, counted up to 100.
macro_rules! unread_mentions {
    ($conversation:literal, $user:literal, $read_seq:literal) => {
        concat!(
            "(SELECT count(*) FROM (SELECT 1 FROM chat_mention n WHERE n.conversation_id = ",
            $conversation,
            " AND n.user_id = ",
            $user,
            " AND n.seq > ",
            $read_seq,
            " LIMIT 100))"
        )
    };
}
pub(super) use {unread, unread_mentions};

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
    " AS unread_mentions,
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
        let read = || -> sqlx::Result<CursorAdvance> {
            Ok(CursorAdvance {
                from: step.from,
                to: step.to,
                passed: row.number("passed")?,
                unread: row.number("unread")?,
                unread_mentions: row.number("unread_mentions")?,
            })
        };
        Ok(Some(read().map_err(Failure::from)?))
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

/// Where a member's cursors stand, and how far they could go.
struct Standing {
    read_seq: u64,
    delivered_seq: u64,
    last_seq: u64,
}

/// One cursor's way, and where both stand after it.
struct Step {
    from: u64,
    to: u64,
    read_seq: u64,
    delivered_seq: u64,
}

impl Standing {
    fn step(&self, kind: CursorKind, seq: Option<u64>) -> Step {
        let from = match kind {
            CursorKind::Read => self.read_seq,
            CursorKind::Delivered => self.delivered_seq,
        };
        let to = seq.unwrap_or(u64::MAX).min(self.last_seq).max(from);
        let read_seq = if kind == CursorKind::Read { to } else { self.read_seq };
        Step { from, to, read_seq, delivered_seq: self.delivered_seq.max(to) }
    }
}

impl Step {
    const fn moves(&self) -> bool {
        self.from < self.to
    }
}

async fn standing(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    user: &UserId,
) -> Result<Option<Standing>, Failure> {
    let query = sqlx::query(STANDING).bind(conversation.as_uuid()).bind(user.as_str());
    let Some(row) = query.fetch_optional(connection).await? else { return Ok(None) };
    Ok(Some(Standing {
        read_seq: row.number("read_seq")?,
        delivered_seq: row.number("delivered_seq")?,
        last_seq: row.number("last_seq")?,
    }))
}
