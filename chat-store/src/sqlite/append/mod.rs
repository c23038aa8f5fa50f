//! Storing a batch of messages: a number of statements that does not depend on its size. A message
//! that comes alone takes a way of its own.

pub(super) mod lone;

use std::collections::HashMap;

use chat_core::proto::{ConversationId, Message};
use chat_core::store::{AppendOutcome, MessageDraft};
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::hex::Hex;
use crate::append::{Batch, Mentioned, Numbers, mentions_of_others, named, stored_mentions};
use crate::columns::Columns;
use crate::failure::Failure;
use crate::record::{message_columns, read_message};
use crate::value::json;

/// What must be known about drafts. First the exceptions among them: those whose sender is not a
/// member, and those that repeat a stored message, with that message. Then, of the names that they
/// mention, those of members. At last the heads of all their conversations in one row, since each
/// row is a turn of its own for whoever reads it.
pub(super) const CHECK: &str = concat!(
    "WITH draft AS MATERIALIZED (
       SELECT key AS draft, unhex(value ->> 0) AS conversation_id, value ->> 1 AS sender_id,
              value ->> 2 AS client_id
       FROM json_each(?1)),
     mention AS MATERIALIZED (
       SELECT unhex(value ->> 0) AS conversation_id, value ->> 1 AS username_key
       FROM json_each(?2))
     SELECT d.draft, b.user_id IS NOT NULL AS joined, ",
    message_columns!(),
    ", NULL AS mentioned_in, NULL AS username_key, NULL AS mentioned_id, NULL AS heads
      FROM draft d
      LEFT JOIN chat_member b ON b.conversation_id = d.conversation_id
        AND b.user_id = d.sender_id AND b.state = 'joined'
      LEFT JOIN chat_message m ON m.conversation_id = d.conversation_id
        AND m.sender_id = d.sender_id AND m.client_id = d.client_id
      WHERE b.user_id IS NULL OR m.id IS NOT NULL
      UNION ALL
      SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
             n.conversation_id, n.username_key, u.id, NULL
      FROM mention n
      JOIN chat_user u ON u.username_key = n.username_key
      JOIN chat_member b ON b.conversation_id = n.conversation_id AND b.user_id = u.id
        AND b.state = 'joined'
      UNION ALL
      SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
             json_group_array(json_array(hex(h.conversation_id), h.last_seq, h.change_seq))
      FROM chat_head h
      WHERE h.conversation_id IN (SELECT conversation_id FROM draft)"
);

/// The heads follow by a trigger.
const INSERT: &str = "INSERT INTO chat_message
       (id, conversation_id, seq, change_seq, sender_id, client_id, created_at, mentions, content,
        activity)
     SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4,
            value ->> 5, value ->> 6, value ->> 7, value ->> 8, ?2 + key
     FROM json_each(?1)";

const INSERT_MENTIONS: &str = "INSERT INTO chat_mention (conversation_id, user_id, seq)
     SELECT unhex(value ->> 0), value ->> 1, value ->> 2 FROM json_each(?1)";

/// Stores a batch in the transaction of a connection. Its messages take as many numbers of activity as there
/// are drafts, from `activity` on.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    drafts: Vec<MessageDraft>,
    activity: i64,
) -> Result<Vec<AppendOutcome>, Failure> {
    let Known { exceptions, mentioned, mut heads } = check(connection, &drafts).await?;
    let mut batch = Batch::decide(drafts, exceptions);
    if batch.new.is_empty() {
        return Ok(batch.outcomes(&[]));
    }
    batch.mention(&mentioned);
    let messages = batch.number(&mut heads)?;
    insert(connection, &messages, activity).await?;
    Ok(batch.outcomes(&messages))
}

/// What is known about drafts before they are stored.
#[derive(Default)]
struct Known {
    /// What becomes of those that are not to be stored, by their places.
    exceptions: HashMap<i64, AppendOutcome>,
    mentioned: Mentioned,
    /// The numbers that their conversations have taken.
    heads: HashMap<ConversationId, Numbers>,
}

async fn check(
    connection: &mut SqliteConnection,
    drafts: &[MessageDraft],
) -> Result<Known, Failure> {
    let keys = drafts.iter().map(|draft| {
        (Hex(draft.conversation_id.as_uuid()), draft.sender_id.as_str(), draft.client_id.as_str())
    });
    let keys = json(keys.collect::<Vec<_>>())?;
    let names = named(drafts).into_iter().map(|(id, name)| (Hex(id.as_uuid()), name));
    let names = json(names.collect::<Vec<_>>())?;
    let rows = sqlx::query(CHECK).bind(keys).bind(names).fetch_all(connection).await?;
    let mut known = Known::default();
    for row in &rows {
        if let Some(draft) = row.try_get("draft")? {
            known.exceptions.insert(draft, exception(row)?);
        } else if let Some(heads) = row.optional_text("heads")? {
            let heads: Vec<(Uuid, u64, u64)> = serde_json::from_str(heads)?;
            known.heads.extend(heads.into_iter().map(|(id, seq, change_seq)| {
                (ConversationId::from(id), Numbers { seq, change_seq })
            }));
        } else {
            let (room, key) = (row.id("mentioned_in")?, row.text("username_key")?.to_owned());
            known.mentioned.entry(room).or_default().insert(key, row.parsed("mentioned_id")?);
        }
    }
    Ok(known)
}

/// What becomes of a draft that is not to be stored.
fn exception(row: &SqliteRow) -> Result<AppendOutcome, Failure> {
    Ok(if row.try_get("joined")? {
        AppendOutcome::Repeated(read_message(row)?)
    } else {
        AppendOutcome::NotMember
    })
}

async fn insert(
    connection: &mut SqliteConnection,
    messages: &[Message],
    activity: i64,
) -> Result<(), Failure> {
    let rows = messages.iter().map(MessageRow::new).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(INSERT).bind(json(rows)?).bind(activity).execute(&mut *connection).await?;
    let mentions: Vec<_> = mentions_of_others(messages)
        .map(|(message, user)| (Hex(message.conversation_id.as_uuid()), user, message.seq))
        .collect();
    if !mentions.is_empty() {
        sqlx::query(INSERT_MENTIONS).bind(json(mentions)?).execute(connection).await?;
    }
    Ok(())
}

/// The columns of a new message, in the order of [`INSERT`].
#[derive(Serialize)]
struct MessageRow<'a>(Hex, Hex, u64, u64, &'a str, &'a str, i64, Option<String>, &'a str);

impl<'a> MessageRow<'a> {
    fn new(message: &'a Message) -> Result<Self, Failure> {
        Ok(Self(
            Hex(message.id.as_uuid()),
            Hex(message.conversation_id.as_uuid()),
            message.seq,
            message.change_seq,
            message.sender_id.as_str(),
            message.client_id.as_str(),
            message.created_at.as_microsecond(),
            stored_mentions(message)?,
            message.content.as_str(),
        ))
    }
}
