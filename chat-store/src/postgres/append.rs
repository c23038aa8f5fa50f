//! Storing a batch of messages: at most six statements, those that begin and end the transaction
//! included, whatever the size of the batch.

use std::collections::{BTreeSet, HashMap};

use chat_core::proto::{ConversationId, Message};
use chat_core::store::{AppendOutcome, MessageDraft};
use sqlx::Row;
use uuid::Uuid;

use super::session::Session;
use super::statement::sql;
use crate::append::{Batch, Mentioned, Numbers, mentions_of_others, named, stored_mentions};
use crate::columns::Columns;
use crate::failure::Failure;
use crate::record::{message_columns, read_message};
use crate::value::integer;

/// The only rows that a send locks. Everybody locks them in the same order, so that batches do not
/// wait for each other in a circle.
pub(super) const LOCK_HEADS: &str = "SELECT conversation_id, last_seq, change_seq FROM chat_head
     WHERE conversation_id = ANY ($1) ORDER BY conversation_id FOR UPDATE";

/// Of all drafts, the exceptions: those whose sender is not a member, and those that repeat a
/// stored message, with that message. A statement of its own after the lock, since it must see what
/// was committed while the lock was waited for.
pub(super) const EXCEPTIONS: &str = concat!(
    "SELECT d.draft - 1 AS draft, b.user_id IS NOT NULL AS joined, ",
    message_columns!(),
    " FROM UNNEST($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY
        AS d (conversation_id, sender_id, client_id, draft)
      LEFT JOIN chat_member b ON b.conversation_id = d.conversation_id
        AND b.user_id = d.sender_id AND b.state = 'joined'
      LEFT JOIN chat_message m ON m.conversation_id = d.conversation_id
        AND m.sender_id = d.sender_id AND m.client_id = d.client_id
      WHERE b.user_id IS NULL OR m.id IS NOT NULL"
);

/// Which of the names that drafts mention are those of members.
pub(super) const MENTIONED: &str = "SELECT n.conversation_id, n.username_key, u.id AS mentioned_id
     FROM UNNEST($1::uuid[], $2::text[]) AS n (conversation_id, username_key)
     JOIN chat_user u ON u.username_key = n.username_key
     JOIN chat_member b ON b.conversation_id = n.conversation_id AND b.user_id = u.id
       AND b.state = 'joined'";

pub(super) const STORE: &str = "WITH stored AS (
       INSERT INTO chat_message
         (id, conversation_id, seq, change_seq, sender_id, client_id, created_at, mentions, content)
       SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[],
                            $6::text[], $7::bigint[], $8::text[], $9::text[])),
     mentioned AS (
       INSERT INTO chat_mention (conversation_id, user_id, seq)
       SELECT * FROM UNNEST($10::uuid[], $11::text[], $12::bigint[]))
     UPDATE chat_head h SET
       last_seq = n.last_seq,
       change_seq = n.change_seq,
       last_activity_at = greatest(h.last_activity_at, n.sent_at),
       activity = (SELECT nextval('chat_activity')) + n.place
     FROM UNNEST($13::uuid[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[])
       AS n (conversation_id, last_seq, change_seq, sent_at, place)
     WHERE h.conversation_id = n.conversation_id";

/// Stores a batch in the transaction of a session.
pub(super) async fn append(
    session: &mut Session,
    drafts: Vec<MessageDraft>,
) -> Result<Vec<AppendOutcome>, Failure> {
    let mut numbers = lock_heads(session, &drafts).await?;
    let exceptions = exceptions(session, &drafts).await?;
    let mut batch = Batch::decide(drafts, exceptions);
    if batch.new.is_empty() {
        return Ok(batch.outcomes(&[]));
    }
    let mentioned = mentioned(session, &batch.new).await?;
    batch.mention(&mentioned);
    let messages = batch.number(&mut numbers)?;
    store(session, &batch, &messages, &numbers).await?;
    Ok(batch.outcomes(&messages))
}

async fn lock_heads(
    session: &mut Session,
    drafts: &[MessageDraft],
) -> Result<HashMap<ConversationId, Numbers>, Failure> {
    let ids: BTreeSet<Uuid> = drafts.iter().map(|draft| draft.conversation_id.as_uuid()).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let rows = session.rows(sql(LOCK_HEADS).bind(ids)).await?;
    let heads = rows.iter().map(|row| {
        let numbers =
            Numbers { seq: row.number("last_seq")?, change_seq: row.number("change_seq")? };
        Ok((row.id("conversation_id")?, numbers))
    });
    Ok(heads.collect::<sqlx::Result<_>>()?)
}

async fn exceptions(
    session: &mut Session,
    drafts: &[MessageDraft],
) -> Result<HashMap<i64, AppendOutcome>, Failure> {
    let after_uncertain = session.is_after_uncertain();
    let select = sql(EXCEPTIONS)
        .bind(drafts.iter().map(|draft| draft.conversation_id.as_uuid()).collect::<Vec<_>>())
        .bind(drafts.iter().map(|draft| draft.sender_id.as_str()).collect::<Vec<_>>())
        .bind(drafts.iter().map(|draft| draft.client_id.as_str()).collect::<Vec<_>>());
    let rows = session.rows(select).await?;
    let exceptions = rows.iter().map(|row| {
        let place: i64 = row.try_get("draft")?;
        let stored = if row.is_null("message_id")? { None } else { Some(read_message(row)?) };
        let draft = usize::try_from(place).ok().and_then(|place| drafts.get(place));
        let outcome = match stored {
            // This very draft was stored by an attempt whose answer was lost.
            Some(message)
                if after_uncertain && draft.is_some_and(|draft| draft.id == message.id) =>
            {
                AppendOutcome::Stored(message)
            }
            Some(message) if row.try_get("joined")? => AppendOutcome::Repeated(message),
            _ => AppendOutcome::NotMember,
        };
        Ok((place, outcome))
    });
    Ok(exceptions.collect::<sqlx::Result<_>>()?)
}

async fn mentioned(session: &mut Session, drafts: &[MessageDraft]) -> Result<Mentioned, Failure> {
    let names = named(drafts);
    if names.is_empty() {
        return Ok(Mentioned::new());
    }
    let select = sql(MENTIONED)
        .bind(names.iter().map(|(conversation, _)| conversation.as_uuid()).collect::<Vec<_>>())
        .bind(names.into_iter().map(|(_, name)| name).collect::<Vec<_>>());
    let mut members = Mentioned::new();
    for row in session.rows(select).await? {
        let (room, key) = (row.id("conversation_id")?, row.text("username_key")?.to_owned());
        members.entry(room).or_default().insert(key, row.parsed("mentioned_id")?);
    }
    Ok(members)
}

/// Stores messages and their mentions, and moves the heads, in one statement.
async fn store(
    session: &mut Session,
    batch: &Batch,
    messages: &[Message],
    numbers: &HashMap<ConversationId, Numbers>,
) -> Result<(), Failure> {
    fn column<'m, T>(messages: &'m [Message], value: impl Fn(&'m Message) -> T) -> Vec<T> {
        messages.iter().map(value).collect()
    }
    let mentions: Vec<_> = mentions_of_others(messages).collect();
    let growth: Vec<_> = batch.growth().into_iter().collect();
    let head = |number: fn(&Numbers) -> u64| {
        let of = |id| numbers.get(id).map_or(0, |numbers| integer(number(numbers)));
        growth.iter().map(|(id, _)| of(id)).collect::<Vec<i64>>()
    };
    let store = sql(STORE)
        .bind(column(messages, |message| message.id.as_uuid()))
        .bind(column(messages, |message| message.conversation_id.as_uuid()))
        .bind(column(messages, |message| integer(message.seq)))
        .bind(column(messages, |message| integer(message.change_seq)))
        .bind(column(messages, |message| message.sender_id.as_str()))
        .bind(column(messages, |message| message.client_id.as_str()))
        .bind(column(messages, |message| message.created_at.as_microsecond()))
        .bind(messages.iter().map(stored_mentions).collect::<Result<Vec<_>, _>>()?)
        .bind(column(messages, |message| message.content.as_str()))
        .bind(mentions.iter().map(|(m, _)| m.conversation_id.as_uuid()).collect::<Vec<_>>())
        .bind(mentions.iter().map(|(_, user)| user.as_str()).collect::<Vec<_>>())
        .bind(mentions.iter().map(|(m, _)| integer(m.seq)).collect::<Vec<_>>())
        .bind(growth.iter().map(|(id, _)| id.as_uuid()).collect::<Vec<_>>())
        .bind(head(|numbers| numbers.seq))
        .bind(head(|numbers| numbers.change_seq))
        .bind(growth.iter().map(|(_, growth)| growth.last_at).collect::<Vec<_>>())
        .bind(growth.iter().map(|(_, growth)| growth.place).collect::<Vec<_>>());
    session.execute(store).await?;
    Ok(())
}
