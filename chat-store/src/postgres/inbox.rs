use async_trait::async_trait;
use chat_core::proto::{ConversationId, ConversationSummary, MessagePreview, UserId};
use chat_core::store::{InboxPosition, InboxStore, Overview, StoreError, UnreadTotal};
use uuid::Uuid;

use super::PostgresStore;
use super::statement::sql;
use crate::cursor::{unread, unread_mentions};
use crate::failure::Failure;
use crate::record::{
    conversation_columns, read_all, read_optional, read_overview, read_summary, read_unread_total,
    user_columns,
};
use crate::value::integer;

/// Everything that summaries show, of the conversations that a first query picks: its parameters
/// begin with $3. One statement, and so one snapshot. The counts come after the picking, so that
/// only those on the page are counted. The peer is looked up by an id that is null for a room,
/// because a condition on its kind would be tested once for every member.
macro_rules! summaries_of {
    ($page:literal) => {
        summaries_of!($page, "", "", "JOIN")
    };
    ($page:literal, $before:literal, $own_columns:literal, $join:literal) => {
        concat!(
            "WITH ",
            $before,
            "page AS MATERIALIZED (",
            $page,
            ")
             SELECT ",
            $own_columns,
            conversation_columns!(),
            ", h.last_seq, h.change_seq, h.last_activity_at, r.read_seq, r.delivered_seq, ",
            unread!("h.conversation_id", "$1", "r.read_seq"),
            " AS unread, ",
            unread_mentions!("h.conversation_id", "$1", "r.read_seq"),
            " AS unread_mentions,
              l.seq AS preview_seq, l.sender_id AS preview_sender_id,
              left(l.content, $2::int) AS preview_content, l.created_at AS preview_created_at, ",
            user_columns!(),
            ", q.read_seq AS peer_read_seq, q.delivered_seq AS peer_delivered_seq
              FROM page ",
            $join,
            " chat_conversation c ON c.id = page.conversation_id ",
            $join,
            " chat_head h ON h.conversation_id = page.conversation_id ",
            $join,
            " chat_cursor r ON r.conversation_id = page.conversation_id AND r.user_id = $1
              LEFT JOIN chat_message l
                ON l.conversation_id = page.conversation_id AND l.seq = h.last_seq
              LEFT JOIN chat_member p
                ON p.conversation_id = CASE WHEN c.kind = 'direct' THEN c.id END AND p.user_id <> $1
              LEFT JOIN chat_user u ON u.id = p.user_id
              LEFT JOIN chat_cursor q
                ON q.conversation_id = p.conversation_id AND q.user_id = p.user_id
              ORDER BY h.last_activity_at DESC, page.conversation_id DESC"
        )
    };
}

pub(super) const SUMMARIES: &str = summaries_of!(
    "SELECT b.conversation_id
     FROM chat_member b JOIN chat_head h ON h.conversation_id = b.conversation_id
     WHERE b.user_id = $1 AND b.state = 'joined'
       AND (h.last_activity_at, h.conversation_id) < ($3, $4)
     ORDER BY h.last_activity_at DESC, h.conversation_id DESC LIMIT $5"
);

pub(super) const SUMMARY: &str = summaries_of!(
    "SELECT b.conversation_id FROM chat_member b
     WHERE b.conversation_id = $3 AND b.user_id = $1 AND b.state = 'joined'"
);

/// All memberships with their heads; those that come first carry a summary, and the others none.
pub(super) const OVERVIEW: &str = summaries_of!(
    "SELECT CASE WHEN row_number() OVER (ORDER BY last_activity_at DESC, standing_in DESC) <= $3
                 THEN standing_in END AS conversation_id,
            standing_in, joined_by, head_last_seq, head_change_seq
     FROM standing",
    "standing AS MATERIALIZED (
       SELECT b.conversation_id AS standing_in, b.change_seq AS joined_by,
              s.last_seq AS head_last_seq, s.change_seq AS head_change_seq, s.last_activity_at
       FROM chat_member b JOIN chat_head s ON s.conversation_id = b.conversation_id
       WHERE b.user_id = $1 AND b.state = 'joined'), ",
    "page.standing_in, page.joined_by, page.head_last_seq, page.head_change_seq, ",
    "LEFT JOIN"
);

pub(super) const UNREAD_TOTAL: &str = concat!(
    "WITH count AS MATERIALIZED (SELECT ",
    unread!("b.conversation_id", "$1", "r.read_seq"),
    " AS unread, ",
    unread_mentions!("b.conversation_id", "$1", "r.read_seq"),
    " AS unread_mentions
      FROM chat_member b
      JOIN chat_head h ON h.conversation_id = b.conversation_id
      JOIN chat_cursor r ON r.conversation_id = b.conversation_id AND r.user_id = $1
      WHERE b.user_id = $1 AND b.state = 'joined' AND h.last_seq > r.read_seq)
     SELECT coalesce(sum(unread), 0)::bigint AS unread,
            coalesce(sum(unread_mentions), 0)::bigint AS unread_mentions,
            count(*) FILTER (WHERE unread > 0) AS conversations
     FROM count"
);

#[async_trait]
impl InboxStore for PostgresStore {
    async fn summaries(
        &self,
        user: &UserId,
        after: Option<InboxPosition>,
        limit: usize,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        // No time is so late, so this position comes before all.
        let (time, id) = after.map_or((i64::MAX, Uuid::max()), |after| {
            (after.last_activity_at.as_microsecond(), after.id.as_uuid())
        });
        let summaries = sql(SUMMARIES)
            .bind(user.as_str())
            .bind(integer(MessagePreview::CHARACTERS))
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
        let summary = sql(SUMMARY)
            .bind(user.as_str())
            .bind(integer(MessagePreview::CHARACTERS))
            .bind(conversation.as_uuid());
        Ok(read_optional(self.primary.row(summary).await?.as_ref(), read_summary)?)
    }

    async fn unread_total(&self, user: &UserId) -> Result<UnreadTotal, StoreError> {
        let row = self.primary.one(sql(UNREAD_TOTAL).bind(user.as_str())).await?;
        Ok(read_unread_total(&row).map_err(Failure::from)?)
    }

    async fn overview(&self, user: &UserId, limit: usize) -> Result<Overview, StoreError> {
        let overview = sql(OVERVIEW)
            .bind(user.as_str())
            .bind(integer(MessagePreview::CHARACTERS))
            .bind(integer(limit));
        Ok(read_overview(user, &self.primary.rows(overview).await?)?)
    }
}
