use chat_core::proto::ConversationId;
use chat_core::store::Changes;
use sqlx::{Connection, SqliteConnection};

use crate::changes::{first_of, membership_changed, message_created, none_since};
use crate::columns::Columns;
use crate::failure::Failure;
use crate::record::{member_columns, message_columns, user_columns};
use crate::value::integer;

pub(super) const MESSAGES: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM chat_message m WHERE m.conversation_id = ?1 AND m.change_seq > ?2
      ORDER BY m.change_seq LIMIT ?3"
);

pub(super) const MEMBERS: &str = concat!(
    "SELECT ",
    member_columns!(),
    ", ",
    user_columns!(),
    " FROM chat_member m JOIN chat_user u ON u.id = m.user_id
      WHERE m.conversation_id = ?1 AND m.change_seq > ?2
      ORDER BY m.change_seq LIMIT ?3"
);

/// What has changed since a number. One more of each kind is read than asked for, which shows
/// whether that is all.
pub(super) async fn changes(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    since: u64,
    limit: usize,
) -> Result<Changes, Failure> {
    // A transaction that only reads sees one snapshot from its first statement on.
    let mut snapshot = connection.begin().await?;
    let head = sqlx::query("SELECT change_seq FROM chat_head WHERE conversation_id = ?1")
        .bind(conversation.as_uuid())
        .fetch_optional(&mut *snapshot)
        .await?;
    let head = head.map(|row| row.number("change_seq")).transpose()?.unwrap_or_default();
    if head <= since {
        snapshot.rollback().await?;
        return Ok(none_since(head));
    }
    let mut rows = Vec::new();
    for query in [MESSAGES, MEMBERS] {
        let query = sqlx::query(query)
            .bind(conversation.as_uuid())
            .bind(integer(since))
            .bind(integer(limit).saturating_add(1));
        rows.push(query.fetch_all(&mut *snapshot).await?);
    }
    snapshot.rollback().await?;
    let messages = rows[0].iter().map(message_created);
    let members = rows[1].iter().map(membership_changed);
    let events = messages.chain(members).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(first_of(events, head, limit))
}
