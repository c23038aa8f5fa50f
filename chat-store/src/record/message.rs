use chat_core::proto::{Message, MessageBody};
use chat_core::store::Head;

use crate::columns::{Columns, decode};

/// The columns of a message in a table `m`, under names that no other table of a query has.
macro_rules! message_columns {
    () => {
        "m.id AS message_id, m.conversation_id AS sent_to, m.seq, m.change_seq, m.sender_id, \
         m.client_id, m.created_at AS sent_at, m.mentions, m.content"
    };
}
pub(crate) use message_columns;

/// Reads [`message_columns!`].
pub(crate) fn read_message(row: &impl Columns) -> sqlx::Result<Message> {
    let mentions = row.optional_text("mentions")?.map(serde_json::from_str).transpose();
    Ok(Message {
        id: row.id("message_id")?,
        conversation_id: row.id("sent_to")?,
        seq: row.number("seq")?,
        change_seq: row.number("change_seq")?,
        sender_id: row.parsed("sender_id")?,
        client_id: row.parsed("client_id")?,
        content: MessageBody::from_stored(row.text("content")?.to_owned()),
        mentions: mentions.map_err(|error| decode("mentions", error))?.unwrap_or_default(),
        created_at: row.time("sent_at")?,
    })
}

/// Reads the columns of a head.
pub(crate) fn read_head(row: &impl Columns) -> sqlx::Result<Head> {
    Ok(Head {
        conversation_id: row.id("conversation_id")?,
        last_seq: row.number("last_seq")?,
        change_seq: row.number("change_seq")?,
    })
}
