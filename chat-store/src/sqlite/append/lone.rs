//! Storing one message that comes alone.
//!
//! Nobody shares its commit, so its sender waits for whatever is done beside writing to the disk. All
//! of it is one script from `BEGIN` to `COMMIT`: one turn of the connection's thread instead of one for
//! each statement, and no JSON to take apart.

use chat_core::store::{AppendOutcome, MessageDraft};
use sqlx::Row;

use super::exception;
use crate::append::Numbers;
use crate::columns::Columns;
use crate::failure::Failure;
use crate::record::message_columns;
use crate::sqlite::writer::Writer;

/// The parts of the script. A macro, so that each can be put into one text and be looked at alone.
macro_rules! part {
    // What a member writes, unless there is a message with its client id already.
    (insert) => {
        "INSERT INTO chat_message
           (id, conversation_id, seq, change_seq, sender_id, client_id, created_at, content)
         SELECT ?5, ?1, h.last_seq + 1, h.change_seq + 1, ?2, ?3, ?4, ?6
         FROM chat_member b JOIN chat_head h ON h.conversation_id = b.conversation_id
         WHERE b.conversation_id = ?1 AND b.user_id = ?2 AND b.state = 'joined'
         ON CONFLICT (conversation_id, sender_id, client_id) DO NOTHING
         RETURNING seq, change_seq"
    };
    // The head follows if there was something to insert.
    (advance_head) => {
        "UPDATE chat_head SET
           last_seq = last_seq + 1, change_seq = change_seq + 1, last_activity_at = ?4
         WHERE conversation_id = ?1 AND changes() = 1"
    };
    // Otherwise, what stood against it.
    (exception) => {
        concat!(
            "SELECT b.user_id IS NOT NULL AS joined, ",
            message_columns!(),
            " FROM (SELECT 1)
              LEFT JOIN chat_member b
                ON b.conversation_id = ?1 AND b.user_id = ?2 AND b.state = 'joined'
              LEFT JOIN chat_message m
                ON m.conversation_id = ?1 AND m.sender_id = ?2 AND m.client_id = ?3
              WHERE changes() = 0 AND (b.user_id IS NULL OR m.id IS NOT NULL)"
        )
    };
}

#[cfg(test)]
pub(in crate::sqlite) const PARTS: [&str; 3] =
    [part!(insert), part!(advance_head), part!(exception)];

const SCRIPT: &str = concat!(
    "BEGIN IMMEDIATE; ",
    part!(insert),
    "; ",
    part!(advance_head),
    "; ",
    part!(exception),
    "; COMMIT"
);

/// Whether a draft can be stored like this: it names nobody who would have to be looked up.
pub(in crate::sqlite) const fn takes(draft: &MessageDraft) -> bool {
    draft.mentions.is_empty()
}

/// Stores a draft in a transaction of its own.
pub(in crate::sqlite) async fn append(
    writer: &Writer,
    draft: &MessageDraft,
) -> Result<AppendOutcome, Failure> {
    let script = sqlx::query(SCRIPT)
        .bind(draft.conversation_id.as_uuid())
        .bind(draft.sender_id.as_str().to_owned())
        .bind(draft.client_id.as_str().to_owned())
        .bind(draft.created_at.as_microsecond())
        .bind(draft.id.as_uuid())
        .bind(draft.content.as_str().to_owned());
    let rows = writer.run(script).await?;
    let row = rows.first().ok_or(Failure::Refused("a conversation has members but no head"))?;
    if row.try_column("joined").is_ok() {
        return exception(row);
    }
    let numbers = Numbers { seq: row.number("seq")?, change_seq: row.number("change_seq")? };
    Ok(AppendOutcome::Stored(numbers.message(draft, Vec::new())))
}
