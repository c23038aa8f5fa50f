use async_trait::async_trait;
use chat_core::proto::{ConversationId, ConversationSummary, MessagePreview, UserId};
use chat_core::store::{
    InboxPosition, InboxStore, Known, Missed, Overview, StoreError, UnreadTotal,
};
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::json_row::{JsonRow, json_columns};
use super::writer::Statement;
use super::{SqliteStore, missed};
use crate::columns::Columns;
use crate::cursor::{unread, unread_mentions};
use crate::failure::Failure;
use crate::record::{
    read_all, read_optional, read_overviews, read_summary, read_unread_total, summaries_of,
};
use crate::value::{integer, json};

pub(super) const SUMMARIES: &str = summaries_of!(
    "?1",
    "?2",
    "SELECT b.conversation_id
     FROM chat_member b JOIN chat_head h ON h.conversation_id = b.conversation_id
     WHERE b.user_id = ?1 AND b.state = 'joined'
       AND (h.activity, h.last_activity_at, h.conversation_id) < (?3, ?4, ?5)
     ORDER BY h.activity DESC, h.last_activity_at DESC, h.conversation_id DESC LIMIT +?6"
);

pub(super) const SUMMARY: &str = summaries_of!(
    "?1",
    "?2",
    "SELECT b.conversation_id FROM chat_member b
     WHERE b.conversation_id = ?3 AND b.user_id = ?1 AND b.state = 'joined'"
);

json_columns! {
    OVERVIEW, overview:
    "place", id "standing_in", "joined_by", "head_last_seq", "head_change_seq",
    id "conversation_id", "kind", "visibility", "name", "topic", "created_by",
    "conversation_created_at", "member_count", "last_seq", "change_seq", "last_activity_at",
    "activity", "read_seq", "delivered_seq", "unread", "unread_mentions", "preview_seq", "preview_sender_id",
    "preview_content", "preview_created_at", "user_id", "username", "display_name",
    "user_created_at", "last_seen_at", "peer_read_seq", "peer_delivered_seq",
}

/// All memberships of some users with their heads; of each user, those that come first carry a
/// summary, and the others none.
pub(super) const OVERVIEWS: &str = concat!(
    "SELECT json_group_array(",
    overview!(),
    ") AS answer FROM (",
    summaries_of!(
        "page.viewer",
        "?2",
        "SELECT iif(row_number() OVER (PARTITION BY place
                      ORDER BY activity DESC, last_activity_at DESC,
                               standing_in DESC) <= ?3,
                    standing_in, NULL) AS conversation_id,
                place, viewer, standing_in, joined_by, head_last_seq, head_change_seq
         FROM standing",
        "standing AS MATERIALIZED (
           SELECT asked.key AS place, b.user_id AS viewer, b.conversation_id AS standing_in,
                  coalesce((SELECT p.joined_seq FROM chat_promotion p
                    WHERE p.conversation_id = b.conversation_id AND p.user_id = b.user_id
                      AND p.change_seq = b.change_seq), b.change_seq) AS joined_by, s.last_seq AS head_last_seq,
                  s.change_seq AS head_change_seq, s.last_activity_at, s.activity
           FROM json_each(?1) asked
           JOIN chat_member b ON b.user_id = asked.value AND b.state = 'joined'
           JOIN chat_head s ON s.conversation_id = b.conversation_id), ",
        "page.place, page.standing_in, page.joined_by, page.head_last_seq, page.head_change_seq, ",
        "LEFT JOIN"
    ),
    ")"
);

pub(super) const UNREAD_TOTAL: &str = concat!(
    "WITH count AS MATERIALIZED (SELECT h.change_seq, iif(h.last_seq > r.read_seq, ",
    unread!("b.conversation_id", "?1", "r.read_seq"),
    ", 0) AS unread, iif(h.last_seq > r.read_seq, ",
    unread_mentions!("b.conversation_id", "?1", "r.read_seq"),
    ", 0) AS unread_mentions
      FROM chat_member b
      JOIN chat_head h ON h.conversation_id = b.conversation_id
      JOIN chat_cursor r ON r.conversation_id = b.conversation_id AND r.user_id = ?1
      WHERE b.user_id = ?1 AND b.state = 'joined')
     SELECT coalesce(sum(unread), 0) AS unread,
            coalesce(sum(unread_mentions), 0) AS unread_mentions,
            coalesce(sum(unread > 0), 0) AS conversations,
            coalesce(sum(change_seq), 0) AS through
     FROM count"
);

fn summary_of(conversation: ConversationId, user: &UserId) -> Statement {
    sqlx::query(SUMMARY)
        .bind(user.as_str().to_owned())
        .bind(integer(MessagePreview::CHARACTERS))
        .bind(conversation.as_uuid())
}

/// One conversation as a member sees it, within a transaction.
pub(super) async fn summary(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    user: &UserId,
) -> Result<ConversationSummary, Failure> {
    Ok(read_summary(&summary_of(conversation, user).fetch_one(connection).await?)?)
}

#[async_trait]
impl InboxStore for SqliteStore {
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
        let rows = sqlx::query(SUMMARIES)
            .bind(user.as_str())
            .bind(integer(MessagePreview::CHARACTERS))
            .bind(activity)
            .bind(time)
            .bind(id)
            .bind(integer(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(read_all(&rows, read_summary)?)
    }

    async fn summary(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<ConversationSummary>, StoreError> {
        let row = summary_of(conversation, user).fetch_optional(&self.readers).await;
        Ok(read_optional(row.map_err(Failure::from)?.as_ref(), read_summary)?)
    }

    async fn unread_total(&self, user: &UserId) -> Result<UnreadTotal, StoreError> {
        let query = sqlx::query(UNREAD_TOTAL).bind(user.as_str());
        let row = query.fetch_one(&self.readers).await.map_err(Failure::from)?;
        Ok(read_unread_total(&row).map_err(Failure::from)?)
    }

    async fn overviews(&self, users: &[UserId], limit: usize) -> Result<Vec<Overview>, StoreError> {
        let row = sqlx::query(OVERVIEWS)
            .bind(json(users)?)
            .bind(integer(MessagePreview::CHARACTERS))
            .bind(integer(limit))
            .fetch_one(&self.readers)
            .await
            .map_err(Failure::from)?;
        let rows = serde_json::from_str(row.text("answer").map_err(Failure::from)?);
        let rows = JsonRow::all(OVERVIEW, rows.map_err(Failure::from)?);
        Ok(read_overviews(users, &rows)?)
    }

    async fn missed(
        &self,
        questions: &[Known],
        max_gap: u64,
        limit: usize,
    ) -> Result<Vec<Vec<Missed>>, StoreError> {
        Ok(missed::missed(&self.readers, questions, max_gap, limit).await?)
    }
}
