use chat_core::proto::{Conversation, RoomName, Topic};

use crate::columns::Columns;

/// The columns of a conversation in tables `c` and `h`, its head, under names that no other table
/// of a query has.
macro_rules! conversation_columns {
    () => {
        "c.id AS conversation_id, c.kind, c.visibility, c.name, c.topic, c.created_by, \
         c.created_at AS conversation_created_at, h.member_count"
    };
}
pub(crate) use conversation_columns;

/// Reads [`conversation_columns!`].
pub(crate) fn read_conversation(row: &impl Columns) -> sqlx::Result<Conversation> {
    Ok(Conversation {
        id: row.id("conversation_id")?,
        kind: row.word("kind")?,
        visibility: row.word("visibility")?,
        name: row.optional_text("name")?.map(|name| RoomName::from_stored(name.to_owned())),
        topic: row.optional_text("topic")?.map(|topic| Topic::from_stored(topic.to_owned())),
        created_by: row.parsed("created_by")?,
        created_at: row.time("conversation_created_at")?,
        member_count: row.number("member_count")?,
    })
}
