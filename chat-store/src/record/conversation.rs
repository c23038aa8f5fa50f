use chat_core::proto::{Conversation, ConversationKind, RoomName, Topic, Visibility};
use chat_core::store::{NewDirect, NewRoom};

use crate::columns::Columns;
use crate::value::to_microsecond;

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

/// A direct conversation as it is once both have joined.
pub(crate) fn direct_conversation(new: &NewDirect) -> Conversation {
    Conversation {
        id: new.id,
        kind: ConversationKind::Direct,
        visibility: Visibility::Private,
        name: None,
        topic: None,
        created_by: new.opener.clone(),
        created_at: to_microsecond(new.created_at),
        member_count: 2,
    }
}

/// A room as it is once its owner has joined.
pub(crate) fn room_conversation(new: NewRoom) -> Conversation {
    Conversation {
        id: new.id,
        kind: ConversationKind::Room,
        visibility: new.visibility,
        name: Some(new.name),
        topic: new.topic,
        created_by: new.owner,
        created_at: to_microsecond(new.created_at),
        member_count: 1,
    }
}
