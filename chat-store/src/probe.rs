/// Reads what people read: the newest message and the oldest, each with its conversation, its head, and
/// who sent it; and of every other table whether anything is there. The work does not depend on how much
/// is stored, and a table that cannot be read fails it.
///
/// Every value takes part in the answer, so that none is passed over.
pub(crate) const READ: &str = "SELECT
       (SELECT coalesce(sum(length(m.content) + h.last_seq + length(c.kind) + length(b.state)
                            + r.read_seq + length(u.username)), 0)
        FROM (SELECT * FROM (SELECT conversation_id, seq FROM chat_message
                             ORDER BY id DESC LIMIT 1) newest
              UNION ALL
              SELECT * FROM (SELECT conversation_id, seq FROM chat_message
                             ORDER BY id LIMIT 1) oldest) e
        JOIN chat_message m ON m.conversation_id = e.conversation_id AND m.seq = e.seq
        LEFT JOIN chat_head h ON h.conversation_id = e.conversation_id
        LEFT JOIN chat_conversation c ON c.id = e.conversation_id
        LEFT JOIN chat_member b
          ON b.conversation_id = e.conversation_id AND b.user_id = m.sender_id
        LEFT JOIN chat_cursor r
          ON r.conversation_id = e.conversation_id AND r.user_id = m.sender_id
        LEFT JOIN chat_user u ON u.id = m.sender_id) AS people,
       EXISTS (SELECT 1 FROM chat_user) AS users,
       EXISTS (SELECT 1 FROM chat_conversation) AS conversations,
       EXISTS (SELECT 1 FROM chat_direct) AS pairs,
       EXISTS (SELECT 1 FROM chat_head) AS heads,
       EXISTS (SELECT 1 FROM chat_member) AS members,
       EXISTS (SELECT 1 FROM chat_cursor) AS cursors,
       EXISTS (SELECT 1 FROM chat_mention) AS mentions,
       EXISTS (SELECT 1 FROM chat_account) AS accounts,
       EXISTS (SELECT 1 FROM chat_login_session) AS logins";
