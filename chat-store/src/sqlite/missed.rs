use chat_core::proto::ConversationId;
use chat_core::store::{Known, Missed};
use serde::Deserialize;
use sqlx::SqlitePool;
use uuid::Uuid;

use super::hex::Hex;
use super::json_row::{JsonRow, Value, json_columns};
use crate::changes::{membership_changed, message_created, missed as missed_of};
use crate::columns::Columns;
use crate::failure::Failure;
use crate::record::{asked, joined_seq, member_columns, message_columns, user_columns};
use crate::value::{integer, json};

json_columns! {
    MESSAGE, message:
    id "message_id", id "sent_to", "seq", "change_seq", "sender_id", "client_id", "sent_at",
    "mentions", "content",
}

json_columns! {
    MEMBER, member:
    id "member_of", "member_id", "role", "state", "member_change_seq", "joined_at",
    "user_id", "username", "display_name", "user_created_at", "last_seen_at", "joined_seq",
}

/// Of all questions, the conversations of which who asks is a member, with the changes that are
/// counted: one statement, and so one snapshot.
///
/// The messages since a change are found as [`CHANGES`](super::changes::CHANGES) finds them.
pub(super) const MISSED: &str = concat!(
    "WITH known AS MATERIALIZED (
       SELECT value ->> 0 AS asker, value ->> 1 AS user_id, unhex(value ->> 2) AS conversation_id,
              value ->> 3 AS since, key AS place
       FROM json_each(?1)),
     gone AS MATERIALIZED (
       SELECT k.asker, k.place, k.conversation_id, k.since, h.last_seq, h.change_seq,
              iif(h.change_seq - k.since BETWEEN 1 AND ?2, h.change_seq - k.since, 0) AS gap
       FROM known k
       JOIN chat_member b ON b.conversation_id = k.conversation_id AND b.user_id = k.user_id
         AND b.state = 'joined'
       JOIN chat_head h ON h.conversation_id = k.conversation_id),
     counted AS MATERIALIZED (
       SELECT *, since + max(0, min(gap, ?3 - (
                sum(gap) OVER (PARTITION BY asker ORDER BY place) - gap))) AS until
       FROM gone)
     SELECT json_group_array(json_array(place, asker, hex(conversation_id), change_seq, since, until, (
         SELECT json_group_array(",
    message!(),
    ") FROM (SELECT ",
    message_columns!(),
    "   FROM chat_message m
         WHERE m.conversation_id = counted.conversation_id AND counted.until > counted.since
           AND m.seq > counted.last_seq - (counted.change_seq - counted.since)
           AND m.change_seq > counted.since AND m.change_seq <= counted.until)), (
         SELECT json_group_array(",
    member!(),
    ") FROM (SELECT ",
    member_columns!(),
    ", ",
    user_columns!(),
    ", ",
    joined_seq!(),
    "   FROM chat_member m JOIN chat_user u ON u.id = m.user_id
         WHERE m.conversation_id = counted.conversation_id
           AND m.change_seq > counted.since AND m.change_seq <= counted.until))))
       AS answer
     FROM counted"
);

/// What was missed of one conversation: an array, in this order.
#[derive(Deserialize)]
struct Row<'a> {
    place: u64,
    asker: u64,
    conversation: Uuid,
    change_seq: u64,
    since: u64,
    until: u64,
    #[serde(borrow)]
    messages: Vec<Vec<Value<'a>>>,
    #[serde(borrow)]
    members: Vec<Vec<Value<'a>>>,
}

pub(super) async fn missed(
    readers: &SqlitePool,
    questions: &[Known],
    max_gap: u64,
    limit: usize,
) -> Result<Vec<Vec<Missed>>, Failure> {
    let known = questions.iter().enumerate().flat_map(|(asker, known)| {
        let user = known.user_id.as_str();
        known
            .changes
            .iter()
            .map(move |(id, since)| (asker, user, Hex(id.as_uuid()), integer(*since)))
    });
    let row = sqlx::query(MISSED)
        .bind(json(known.collect::<Vec<_>>())?)
        .bind(integer(max_gap))
        .bind(integer(limit))
        .fetch_one(readers)
        .await?;
    let mut rows: Vec<Row<'_>> = serde_json::from_str(row.text("answer")?)?;
    rows.sort_by_key(|row| row.place);
    let mut answers = vec![Vec::new(); questions.len()];
    for row in rows {
        let (_, answer) = asked(questions, &mut answers, row.asker)?;
        let messages = JsonRow::all(MESSAGE, row.messages);
        let members = JsonRow::all(MEMBER, row.members);
        let row_since = row.since;
        let messages = messages.iter().map(message_created);
        let events = messages.chain(members.iter().map(|row| membership_changed(row, row_since)));
        let events = events.collect::<sqlx::Result<_>>()?;
        let id = ConversationId::from(row.conversation);
        answer.push(missed_of(id, row.change_seq, (row.since, row.until), events));
    }
    Ok(answers)
}
