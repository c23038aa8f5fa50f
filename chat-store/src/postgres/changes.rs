use chat_core::proto::ConversationId;
use chat_core::store::Changes;

use super::server::Server;
use super::statement::sql;
use crate::changes::read_changes;
use crate::failure::Failure;
use crate::value::integer;

/// Changes of either kind, as [`read_change`](crate::changes::read_change) reads them: messages and
/// memberships `m` of which this is true.
macro_rules! changes_where {
    ($true:literal) => {
        concat!(
            "(SELECT m.change_seq AS changed_by, ",
            $crate::record::message_columns!(),
            ", NULL::uuid AS member_of, NULL AS member_id, NULL AS role, NULL AS state,
              NULL::bigint AS member_change_seq, NULL::bigint AS joined_at, NULL AS user_id,
              NULL AS username, NULL AS display_name, NULL::bigint AS user_created_at,
              NULL::bigint AS last_seen_at, NULL::bigint AS joined_seq
              FROM chat_message m WHERE ",
            $true,
            ") UNION ALL
             (SELECT m.change_seq, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ",
            $crate::record::member_columns!(),
            ", ",
            $crate::record::user_columns!(),
            ", ",
            $crate::record::joined_seq!(),
            " FROM chat_member m JOIN chat_user u ON u.id = m.user_id WHERE ",
            $true,
            ")"
        )
    };
}
pub(super) use changes_where;

/// The head, and the first changes of either kind after a number: one statement, and so one
/// snapshot and one exchange. One row more is asked for than wanted, which shows whether that is
/// all.
pub(super) const CHANGES: &str = concat!(
    "SELECT h.change_seq AS head_change_seq, e.* FROM chat_head h LEFT JOIN LATERAL (",
    changes_where!("m.conversation_id = $1 AND m.change_seq > $2 ORDER BY m.change_seq LIMIT $3"),
    " ORDER BY changed_by LIMIT $3) e ON TRUE
     WHERE h.conversation_id = $1"
);

/// What has changed since a number.
pub(super) async fn changes(
    server: &Server,
    conversation: ConversationId,
    since: u64,
    limit: usize,
) -> Result<Changes, Failure> {
    let changes = sql(CHANGES)
        .bind(conversation.as_uuid())
        .bind(integer(since))
        .bind(integer(limit).saturating_add(1));
    let rows = server.rows(changes).await?;
    Ok(read_changes(&rows, since, limit)?)
}
