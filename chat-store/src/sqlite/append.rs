//! Storing a batch of messages: a number of statements that does not depend on its size.

use std::collections::{BTreeMap, HashMap};

use chat_core::proto::{ClientId, ConversationId, Message, UserId};
use chat_core::store::{AppendOutcome, MessageDraft};
use serde::Serialize;
use sqlx::{Row, SqliteConnection};

use super::error::Failure;
use super::message::{message_columns, read_message};
use super::row::{Columns, Hex, integer, json, to_microsecond};

/// Of all drafts, the exceptions: those whose sender is not a member, and those that repeat a
/// stored message, with that message.
pub(super) const EXCEPTIONS: &str = concat!(
    "WITH draft AS MATERIALIZED (
       SELECT key AS draft, unhex(value ->> 0) AS conversation_id, value ->> 1 AS sender_id,
              value ->> 2 AS client_id
       FROM json_each(?1))
     SELECT d.draft, b.user_id IS NOT NULL AS joined, ",
    message_columns!(),
    " FROM draft d
      LEFT JOIN chat_member b ON b.conversation_id = d.conversation_id
        AND b.user_id = d.sender_id AND b.state = 'joined'
      LEFT JOIN chat_message m ON m.conversation_id = d.conversation_id
        AND m.sender_id = d.sender_id AND m.client_id = d.client_id
      WHERE b.user_id IS NULL OR m.id IS NOT NULL"
);

/// Which of the names that drafts mention are those of members.
pub(super) const MENTIONED: &str = "WITH mention AS MATERIALIZED (
       SELECT key AS mention, unhex(value ->> 0) AS conversation_id, value ->> 1 AS username_key
       FROM json_each(?1))
     SELECT n.mention, u.id AS mentioned_id
     FROM mention n
     JOIN chat_user u ON u.username_key = n.username_key
     JOIN chat_member b ON b.conversation_id = n.conversation_id AND b.user_id = u.id
       AND b.state = 'joined'";

pub(super) const ADVANCE_HEADS: &str = "UPDATE chat_head SET
       last_seq = last_seq + d.messages,
       change_seq = change_seq + d.messages,
       last_activity_at = d.sent_at
     FROM (SELECT unhex(value ->> 0) AS conversation_id, value ->> 1 AS messages,
                  value ->> 2 AS sent_at
           FROM json_each(?1)) d
     WHERE chat_head.conversation_id = d.conversation_id
     RETURNING conversation_id, last_seq, change_seq";

const INSERT: &str = "INSERT INTO chat_message
       (id, conversation_id, seq, change_seq, sender_id, client_id, created_at, mentions, content)
     SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4,
            value ->> 5, value ->> 6, value ->> 7, value ->> 8
     FROM json_each(?1)";

const INSERT_MENTIONS: &str = "INSERT INTO chat_mention (conversation_id, user_id, seq)
     SELECT unhex(value ->> 0), value ->> 1, value ->> 2 FROM json_each(?1)";

/// What will become of a draft.
enum Plan {
    /// It is stored, as the message with this place among the new ones.
    Store(usize),
    /// It repeats the new message with this place.
    Repeat(usize),
    /// Nothing needs to be stored.
    Decided(AppendOutcome),
}

/// Stores a batch in the transaction of a connection.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    drafts: Vec<MessageDraft>,
) -> Result<Vec<AppendOutcome>, Failure> {
    let (plans, new) = plan(connection, drafts).await?;
    let messages = if new.is_empty() { Vec::new() } else { store(connection, new).await? };
    let outcomes = plans.into_iter().map(|plan| match plan {
        Plan::Store(place) => AppendOutcome::Stored(messages[place].clone()),
        Plan::Repeat(place) => AppendOutcome::Repeated(messages[place].clone()),
        Plan::Decided(outcome) => outcome,
    });
    Ok(outcomes.collect())
}

/// Decides what becomes of each draft, and picks out those to be stored.
async fn plan(
    connection: &mut SqliteConnection,
    drafts: Vec<MessageDraft>,
) -> Result<(Vec<Plan>, Vec<MessageDraft>), Failure> {
    let mut exceptions = exceptions(connection, &drafts).await?;
    let mut plans = Vec::with_capacity(drafts.len());
    let mut new = Vec::with_capacity(drafts.len());
    let mut places: HashMap<(ConversationId, UserId, ClientId), usize> = HashMap::new();
    for (index, draft) in drafts.into_iter().enumerate() {
        if let Some(outcome) = exceptions.remove(&integer(index)) {
            plans.push(Plan::Decided(outcome));
            continue;
        }
        let key = (draft.conversation_id, draft.sender_id.clone(), draft.client_id.clone());
        let place = *places.entry(key).or_insert(new.len());
        if place == new.len() {
            plans.push(Plan::Store(place));
            new.push(draft);
        } else {
            plans.push(Plan::Repeat(place));
        }
    }
    Ok((plans, new))
}

async fn exceptions(
    connection: &mut SqliteConnection,
    drafts: &[MessageDraft],
) -> Result<HashMap<i64, AppendOutcome>, Failure> {
    let keys = drafts.iter().map(|draft| {
        (Hex(draft.conversation_id.as_uuid()), draft.sender_id.as_str(), draft.client_id.as_str())
    });
    let keys = json(keys.collect::<Vec<_>>())?;
    let rows = sqlx::query(EXCEPTIONS).bind(keys).fetch_all(connection).await?;
    let exceptions = rows.iter().map(|row| {
        let outcome = if row.try_get("joined")? {
            AppendOutcome::Repeated(read_message(row)?)
        } else {
            AppendOutcome::NotMember
        };
        Ok((row.try_get("draft")?, outcome))
    });
    Ok(exceptions.collect::<sqlx::Result<_>>()?)
}

/// Numbers and stores drafts of members that repeat nothing.
async fn store(
    connection: &mut SqliteConnection,
    drafts: Vec<MessageDraft>,
) -> Result<Vec<Message>, Failure> {
    let mentions = mentions(connection, &drafts).await?;
    let mut numbers = advance_heads(connection, &drafts).await?;
    let mut messages = Vec::with_capacity(drafts.len());
    for (draft, mentions) in drafts.into_iter().zip(mentions) {
        let next = numbers
            .get_mut(&draft.conversation_id)
            .ok_or(Failure::Refused("a conversation has members but no head"))?;
        next.seq += 1;
        next.change_seq += 1;
        messages.push(Message {
            id: draft.id,
            conversation_id: draft.conversation_id,
            seq: next.seq,
            change_seq: next.change_seq,
            sender_id: draft.sender_id,
            client_id: draft.client_id,
            content: draft.content,
            mentions,
            created_at: to_microsecond(draft.created_at),
        });
    }
    insert(connection, &messages).await?;
    Ok(messages)
}

/// The members that each draft mentions, each once, in the order of its text.
async fn mentions(
    connection: &mut SqliteConnection,
    drafts: &[MessageDraft],
) -> Result<Vec<Vec<UserId>>, Failure> {
    let mut mentions = vec![Vec::new(); drafts.len()];
    let named: Vec<(usize, &MessageDraft, &String)> = drafts
        .iter()
        .enumerate()
        .flat_map(|(place, draft)| draft.mentions.iter().map(move |name| (place, draft, name)))
        .collect();
    if named.is_empty() {
        return Ok(mentions);
    }
    let keys = named.iter().map(|(_, draft, name)| (Hex(draft.conversation_id.as_uuid()), name));
    let keys = json(keys.collect::<Vec<_>>())?;
    let rows = sqlx::query(MENTIONED).bind(keys).fetch_all(connection).await?;
    let found = rows.iter().map(|row| Ok((row.try_get("mention")?, row.parsed("mentioned_id")?)));
    let found: BTreeMap<i64, UserId> = found.collect::<sqlx::Result<_>>()?;
    for (index, (place, ..)) in named.into_iter().enumerate() {
        if let Some(user) = found.get(&integer(index))
            && !mentions[place].contains(user)
        {
            mentions[place].push(user.clone());
        }
    }
    Ok(mentions)
}

/// The numbers taken last.
struct Numbers {
    seq: u64,
    change_seq: u64,
}

/// Takes numbers for all drafts; returns those before the first of each conversation.
async fn advance_heads(
    connection: &mut SqliteConnection,
    drafts: &[MessageDraft],
) -> Result<HashMap<ConversationId, Numbers>, Failure> {
    let mut counts: HashMap<ConversationId, (u64, i64)> = HashMap::new();
    for draft in drafts {
        let (messages, sent_at) = counts.entry(draft.conversation_id).or_default();
        *messages += 1;
        *sent_at = draft.created_at.as_microsecond();
    }
    let heads =
        counts.iter().map(|(id, (messages, sent_at))| (Hex(id.as_uuid()), *messages, *sent_at));
    let heads = json(heads.collect::<Vec<_>>())?;
    let rows = sqlx::query(ADVANCE_HEADS).bind(heads).fetch_all(connection).await?;
    let before = rows.iter().map(|row| {
        let id = row.id("conversation_id")?;
        let taken = counts.get(&id).map_or(0, |(messages, _)| *messages);
        let before = |last: u64| last.saturating_sub(taken);
        let seq = before(row.number("last_seq")?);
        Ok((id, Numbers { seq, change_seq: before(row.number("change_seq")?) }))
    });
    Ok(before.collect::<sqlx::Result<_>>()?)
}

async fn insert(connection: &mut SqliteConnection, messages: &[Message]) -> Result<(), Failure> {
    let rows = messages.iter().map(MessageRow::new).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(INSERT).bind(json(rows)?).execute(&mut *connection).await?;
    // Nobody has to be told of a mention of oneself.
    let mentions: Vec<_> = messages
        .iter()
        .flat_map(|message| message.mentions.iter().map(move |user| (message, user)))
        .filter(|(message, user)| message.sender_id != **user)
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
        let mentions = (!message.mentions.is_empty()).then(|| json(&message.mentions));
        Ok(Self(
            Hex(message.id.as_uuid()),
            Hex(message.conversation_id.as_uuid()),
            message.seq,
            message.change_seq,
            message.sender_id.as_str(),
            message.client_id.as_str(),
            message.created_at.as_microsecond(),
            mentions.transpose()?,
            message.content.as_str(),
        ))
    }
}
