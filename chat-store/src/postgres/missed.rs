use chat_core::store::{Known, Missed};

use super::changes::changes_where;
use super::server::Server;
use super::statement::sql;
use crate::changes::{missed as missed_of, read_change};
use crate::columns::Columns;
use crate::failure::Failure;
use crate::record::asked;
use crate::value::integer;

/// Of all questions, the conversations of which who asks is a member, with the changes that are
/// counted: one statement, and so one snapshot and one exchange.
pub(super) const MISSED: &str = concat!(
    "WITH gone AS MATERIALIZED (
       SELECT k.asker, k.place, k.conversation_id, k.since, h.change_seq,
              CASE WHEN h.change_seq - k.since BETWEEN 1 AND $5
                   THEN h.change_seq - k.since ELSE 0 END AS gap
       FROM UNNEST($1::bigint[], $2::text[], $3::uuid[], $4::bigint[]) WITH ORDINALITY
         AS k (asker, user_id, conversation_id, since, place)
       JOIN chat_member b ON b.conversation_id = k.conversation_id AND b.user_id = k.user_id
         AND b.state = 'joined'
       JOIN chat_head h ON h.conversation_id = k.conversation_id),
     counted AS MATERIALIZED (
       SELECT *, since + greatest(0, least(gap, $6 - (
                sum(gap) OVER (PARTITION BY asker ORDER BY place)::bigint - gap))) AS until
       FROM gone)
     SELECT counted.asker, counted.conversation_id AS missed_in, counted.since, counted.until,
            counted.change_seq AS head_change_seq, e.*
     FROM counted LEFT JOIN LATERAL (",
    changes_where!(
        "m.conversation_id = counted.conversation_id
         AND m.change_seq > counted.since AND m.change_seq <= counted.until"
    ),
    ") e ON TRUE
     ORDER BY counted.place"
);

pub(super) async fn missed(
    server: &Server,
    questions: &[Known],
    max_gap: u64,
    limit: usize,
) -> Result<Vec<Vec<Missed>>, Failure> {
    let (mut askers, mut users) = (Vec::new(), Vec::new());
    let (mut conversations, mut since) = (Vec::new(), Vec::new());
    for (asker, known) in questions.iter().enumerate() {
        for (conversation, change) in &known.changes {
            askers.push(integer(asker));
            users.push(known.user_id.as_str().to_owned());
            conversations.push(conversation.as_uuid());
            since.push(integer(*change));
        }
    }
    let missed = sql(MISSED)
        .bind(askers)
        .bind(users)
        .bind(conversations)
        .bind(since)
        .bind(integer(max_gap))
        .bind(integer(limit));
    let rows = server.rows(missed).await?;
    let mut answers = vec![Vec::new(); questions.len()];
    // The rows of a conversation follow one another.
    let same = |a: &_, b: &_| -> bool {
        let place = |row: &sqlx::postgres::PgRow| {
            Some((row.number("asker").ok()?, row.id::<uuid::Uuid>("missed_in").ok()?))
        };
        place(a) == place(b)
    };
    for rows in rows.chunk_by(same) {
        let row = &rows[0];
        let (_, answer) = asked(questions, &mut answers, row.number("asker")?)?;
        let told = (row.number("since")?, row.number("until")?);
        let mut events = Vec::new();
        for row in rows {
            if !row.is_null("changed_by")? {
                events.push(read_change(row, told.0)?);
            }
        }
        answer.push(missed_of(row.id("missed_in")?, row.number("head_change_seq")?, told, events));
    }
    Ok(answers)
}
