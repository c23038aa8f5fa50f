//! Storing one message that comes alone.
//!
//! Nobody shares its commit, so its sender waits for whatever is done beside writing to the disk. It is
//! one statement, which is a transaction by itself: one turn of the connection's thread instead of
//! five, and no JSON to take apart.

use chat_core::store::{AppendOutcome, MessageDraft};

use super::exception;
use crate::append::Numbers;
use crate::columns::Columns;
use crate::failure::Failure;
use crate::record::message_columns;
use crate::sqlite::writer::{Statement, Writer};

/// What a member writes, unless there is a message with its client id already. The head follows by a
/// trigger.
pub(in crate::sqlite) const INSERT: &str = "INSERT INTO chat_message
       (conversation_id, sender_id, client_id, created_at, id, content, activity, seq, change_seq)
     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, h.last_seq + 1, h.change_seq + 1
     FROM chat_member b JOIN chat_head h ON h.conversation_id = b.conversation_id
     WHERE b.conversation_id = ?1 AND b.user_id = ?2 AND b.state = 'joined'
     ON CONFLICT (conversation_id, sender_id, client_id) DO NOTHING
     RETURNING seq, change_seq";

/// What stood against it.
pub(in crate::sqlite) const EXCEPTION: &str = concat!(
    "SELECT b.user_id IS NOT NULL AS joined, ",
    message_columns!(),
    " FROM (SELECT 1)
      LEFT JOIN chat_member b ON b.conversation_id = ?1 AND b.user_id = ?2 AND b.state = 'joined'
      LEFT JOIN chat_message m ON m.conversation_id = ?1 AND m.sender_id = ?2 AND m.client_id = ?3
      WHERE b.user_id IS NULL OR m.id IS NOT NULL"
);

/// How often to try where what stood against it is gone when it is asked for.
const ATTEMPTS: usize = 3;

/// Whether a draft can be stored like this: it names nobody who would have to be looked up.
pub(in crate::sqlite) const fn takes(draft: &MessageDraft) -> bool {
    draft.mentions.is_empty()
}

/// Stores a draft.
pub(in crate::sqlite) async fn append(
    writer: &Writer,
    draft: &MessageDraft,
    activity: i64,
) -> Result<AppendOutcome, Failure> {
    for _ in 0..ATTEMPTS {
        let insert = about(INSERT, draft)
            .bind(draft.created_at.as_microsecond())
            .bind(draft.id.as_uuid())
            .bind(draft.content.as_str().to_owned())
            .bind(activity);
        if let Some(row) = writer.run(insert).await?.first() {
            let numbers =
                Numbers { seq: row.number("seq")?, change_seq: row.number("change_seq")? };
            return Ok(AppendOutcome::Stored(numbers.message(draft, Vec::new())));
        }
        if let Some(row) = writer.run(about(EXCEPTION, draft)).await?.first() {
            return exception(row);
        }
    }
    Err(Failure::Refused("a conversation has members but no head"))
}

/// A statement about the draft's conversation, sender and client id.
fn about(statement: &'static str, draft: &MessageDraft) -> Statement {
    sqlx::query(statement)
        .bind(draft.conversation_id.as_uuid())
        .bind(draft.sender_id.as_str().to_owned())
        .bind(draft.client_id.as_str().to_owned())
}
