use chat_core::proto::ConversationId;
use chat_core::store::Changes;
use sqlx::SqliteConnection;

use crate::changes::read_changes;
use crate::failure::Failure;
use crate::record::{joined_seq, member_columns, message_columns, user_columns};
use crate::value::integer;

/// The head, and the first changes of either kind after a number: one statement, and so one
/// snapshot. One more of each kind is asked for than wanted, which shows whether that is all.
///
/// No index has the messages in the order of their changes, since it would be one more to keep with
/// each message, and that order is the order of their numbers. There have not been more messages
/// since a change than changes, which says where the first of them can be at the earliest. So no more
/// rows are skipped than there were changes of memberships since.
pub(super) const CHANGES: &str = concat!(
    "SELECT h.change_seq AS head_change_seq, changes.* FROM chat_head h LEFT JOIN (
       SELECT * FROM (SELECT m.change_seq AS changed_by, ",
    message_columns!(),
    ", NULL AS member_of, NULL AS member_id, NULL AS role, NULL AS state,
          NULL AS member_change_seq, NULL AS joined_at, NULL AS user_id, NULL AS username,
          NULL AS display_name, NULL AS user_created_at, NULL AS last_seen_at, NULL AS joined_seq
         FROM chat_message m WHERE m.conversation_id = ?1 AND m.change_seq > ?2
           AND m.seq > (SELECT last_seq - (change_seq - ?2) FROM chat_head
             WHERE conversation_id = ?1)
         ORDER BY m.seq LIMIT +?3)
       UNION ALL
       SELECT * FROM (SELECT m.change_seq, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ",
    member_columns!(),
    ", ",
    user_columns!(),
    ", ",
    joined_seq!(),
    " FROM chat_member m JOIN chat_user u ON u.id = m.user_id
         WHERE m.conversation_id = ?1 AND m.change_seq > ?2
         ORDER BY m.change_seq LIMIT +?3)) changes
     WHERE h.conversation_id = ?1"
);

/// What has changed since a number.
pub(super) async fn changes(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    since: u64,
    limit: usize,
) -> Result<Changes, Failure> {
    let changes = sqlx::query(CHANGES)
        .bind(conversation.as_uuid())
        .bind(integer(since))
        .bind(integer(limit).saturating_add(1));
    let rows = changes.fetch_all(connection).await?;
    Ok(read_changes(&rows, since, limit)?)
}
