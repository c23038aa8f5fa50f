use chat_core::proto::{ConversationSummary, MessagePreview, UserId};
use chat_core::store::{Head, Membership, Overview, Standing, UnreadTotal};

use super::{read_conversation, read_user};
use crate::columns::Columns;
use crate::failure::Failure;

pub(crate) fn read_summary(row: &impl Columns) -> sqlx::Result<ConversationSummary> {
    let conversation = read_conversation(row)?;
    let has_peer = !row.is_null("user_id")?;
    Ok(ConversationSummary {
        conversation_id: conversation.id,
        conversation,
        peer: has_peer.then(|| read_user(row)).transpose()?,
        last_seq: row.number("last_seq")?,
        change_seq: row.number("change_seq")?,
        read_seq: row.number("read_seq")?,
        delivered_seq: row.number("delivered_seq")?,
        peer_read_seq: row.optional_number("peer_read_seq")?,
        peer_delivered_seq: row.optional_number("peer_delivered_seq")?,
        unread: row.number("unread")?,
        unread_mentions: row.number("unread_mentions")?,
        preview: read_preview(row)?,
        last_activity_at: row.time("last_activity_at")?,
    })
}

fn read_preview(row: &impl Columns) -> sqlx::Result<Option<MessagePreview>> {
    let Some(seq) = row.optional_number("preview_seq")? else { return Ok(None) };
    Ok(Some(MessagePreview {
        seq,
        sender_id: row.parsed("preview_sender_id")?,
        content: row.text("preview_content")?.to_owned(),
        created_at: row.time("preview_created_at")?,
    }))
}

/// Reads a row for each membership, of which those that come first carry a summary.
pub(crate) fn read_overview<R: Columns>(user: &UserId, rows: &[R]) -> Result<Overview, Failure> {
    let mut overview = Overview::default();
    for row in rows {
        let conversation_id = row.id("standing_in")?;
        overview.standings.push(Standing {
            membership: Membership {
                user_id: user.clone(),
                conversation_id,
                change_seq: row.number("joined_by")?,
            },
            head: Head {
                conversation_id,
                last_seq: row.number("head_last_seq")?,
                change_seq: row.number("head_change_seq")?,
            },
        });
        if !row.is_null("conversation_id")? {
            overview.summaries.push(read_summary(row)?);
        }
    }
    Ok(overview)
}

pub(crate) fn read_unread_total(row: &impl Columns) -> sqlx::Result<UnreadTotal> {
    Ok(UnreadTotal {
        unread: row.number("unread")?,
        unread_mentions: row.number("unread_mentions")?,
        conversations: row.number("conversations")?,
    })
}
