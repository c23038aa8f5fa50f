use async_trait::async_trait;
use chat_core::proto::{ConversationId, ConversationSummary, MessagePreview, UserId};
use chat_core::store::{
    InboxPosition, InboxStore, Known, Missed, Overview, StoreError, UnreadTotal,
};
use uuid::Uuid;

use super::statement::{Statement, sql};
use super::{PostgresStore, missed};
use crate::cursor::{unread, unread_mentions};
use crate::failure::Failure;
use crate::record::{
    read_all, read_optional, read_overviews, read_summary, read_unread_total, summaries_of,
};
use crate::value::integer;

pub(super) const SUMMARIES: &str = summaries_of!(
    "$1",
    "$2::int",
    "SELECT b.conversation_id
     FROM chat_member b JOIN chat_head h ON h.conversation_id = b.conversation_id
     WHERE b.user_id = $1 AND b.state = 'joined'
       AND (h.activity, h.last_activity_at, h.conversation_id) < ($3, $4, $5)
     ORDER BY h.activity DESC, h.last_activity_at DESC, h.conversation_id DESC LIMIT $6"
);

pub(super) const SUMMARY: &str = summaries_of!(
    "$1",
    "$2::int",
    "SELECT b.conversation_id FROM chat_member b
     WHERE b.conversation_id = $3 AND b.user_id = $1 AND b.state = 'joined'"
);

/// All memberships of some users with their heads; of each user, those that come first carry a
/// summary, and the others none.
pub(super) const OVERVIEWS: &str = summaries_of!(
    "page.viewer",
    "$2::int",
    "SELECT CASE WHEN row_number() OVER (PARTITION BY place
                        ORDER BY activity DESC, last_activity_at DESC,
                               standing_in DESC) <= $3
                 THEN standing_in END AS conversation_id,
            place, viewer, standing_in, joined_by, head_last_seq, head_change_seq
     FROM standing",
    "standing AS MATERIALIZED (
       SELECT asked.place - 1 AS place, b.user_id AS viewer, b.conversation_id AS standing_in,
              coalesce((SELECT p.joined_seq FROM chat_promotion p
                WHERE p.conversation_id = b.conversation_id AND p.user_id = b.user_id
                  AND p.change_seq = b.change_seq), b.change_seq) AS joined_by, s.last_seq AS head_last_seq,
              s.change_seq AS head_change_seq, s.last_activity_at, s.activity
       FROM UNNEST($1::text[]) WITH ORDINALITY AS asked (user_id, place)
       JOIN chat_member b ON b.user_id = asked.user_id AND b.state = 'joined'
       JOIN chat_head s ON s.conversation_id = b.conversation_id), ",
    "page.place, page.standing_in, page.joined_by, page.head_last_seq, page.head_change_seq, ",
    "LEFT JOIN"
);

pub(super) const UNREAD_TOTAL: &str = concat!(
    "WITH count AS MATERIALIZED (SELECT h.change_seq, CASE WHEN h.last_seq > r.read_seq THEN ",
    unread!("b.conversation_id", "$1", "r.read_seq"),
    " ELSE 0 END AS unread, CASE WHEN h.last_seq > r.read_seq THEN ",
    unread_mentions!("b.conversation_id", "$1", "r.read_seq"),
    " ELSE 0 END AS unread_mentions
      FROM chat_member b
      JOIN chat_head h ON h.conversation_id = b.conversation_id
      JOIN chat_cursor r ON r.conversation_id = b.conversation_id AND r.user_id = $1
      WHERE b.user_id = $1 AND b.state = 'joined')
     SELECT coalesce(sum(unread), 0)::bigint AS unread,
            coalesce(sum(unread_mentions), 0)::bigint AS unread_mentions,
            count(*) FILTER (WHERE unread > 0) AS conversations,
            coalesce(sum(change_seq), 0)::bigint AS through
     FROM count"
);

/// One conversation as a member sees it.
pub(super) fn summary_of(conversation: ConversationId, user: &UserId) -> Statement {
    sql(SUMMARY)
        .bind(user.as_str())
        .bind(integer(MessagePreview::CHARACTERS))
        .bind(conversation.as_uuid())
}

#[async_trait]
impl InboxStore for PostgresStore {
    async fn summaries(
        &self,
        user: &UserId,
        after: Option<InboxPosition>,
        limit: usize,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        // No number is so high, so this position comes before all.
        let (activity, time, id) = after.map_or((i64::MAX, i64::MAX, Uuid::max()), |after| {
            let time = after.last_activity_at.as_microsecond();
            (integer(after.activity), time, after.id.as_uuid())
        });
        let summaries = sql(SUMMARIES)
            .bind(user.as_str())
            .bind(integer(MessagePreview::CHARACTERS))
            .bind(activity)
            .bind(time)
            .bind(id)
            .bind(integer(limit));
        Ok(read_all(&self.primary.rows(summaries).await?, read_summary)?)
    }

    async fn summary(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<ConversationSummary>, StoreError> {
        let row = self.primary.row(summary_of(conversation, user)).await?;
        Ok(read_optional(row.as_ref(), read_summary)?)
    }

    async fn unread_total(&self, user: &UserId) -> Result<UnreadTotal, StoreError> {
        let row = self.primary.one(sql(UNREAD_TOTAL).bind(user.as_str())).await?;
        Ok(read_unread_total(&row).map_err(Failure::from)?)
    }

    async fn overviews(&self, users: &[UserId], limit: usize) -> Result<Vec<Overview>, StoreError> {
        let ids: Vec<_> = users.iter().map(|user| user.as_str().to_owned()).collect();
        let overviews =
            sql(OVERVIEWS).bind(ids).bind(integer(MessagePreview::CHARACTERS)).bind(integer(limit));
        Ok(read_overviews(users, &self.primary.rows(overviews).await?)?)
    }

    async fn missed(
        &self,
        questions: &[Known],
        max_gap: u64,
        limit: usize,
    ) -> Result<Vec<Vec<Missed>>, StoreError> {
        Ok(missed::missed(&self.primary, questions, max_gap, limit).await?)
    }
}
