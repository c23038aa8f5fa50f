use std::cmp::Reverse;

use chat_core::proto::{ConversationSummary, MessagePreview, UserId};
use chat_core::store::{Head, InboxPosition, Membership, Overview, Standing, UnreadTotal};

use super::{read_conversation, read_user};
use crate::columns::Columns;
use crate::failure::Failure;

/// Everything that summaries show, of the conversations that a first query picks, which may use
/// further parameters. One statement, and so one snapshot. The counts come after the picking, so
/// that only those on the page are counted. The peer is looked up by an id that is null for a room,
/// because a condition on its kind would be tested once for every member.
///
/// The user and the length of a preview are parameters as the database writes them. The summaries come
/// in the order of the list; with columns of the page's own beside them, in any.
macro_rules! summaries_of {
    ($user:literal, $characters:literal, $page:literal) => {
        concat!(
            $crate::record::summaries_of!($user, $characters, $page, "", "", "JOIN"),
            " ORDER BY h.activity DESC, h.last_activity_at DESC, page.conversation_id DESC"
        )
    };
    (
        $user:literal, $characters:literal, $page:literal,
        $before:literal, $own_columns:literal, $join:literal
    ) => {
        concat!(
            "WITH ",
            $before,
            "page AS MATERIALIZED (",
            $page,
            ") SELECT ",
            $own_columns,
            $crate::record::conversation_columns!(),
            ", h.last_seq, h.change_seq, h.last_activity_at, h.activity, r.read_seq, r.delivered_seq, ",
            $crate::cursor::unread!("h.conversation_id", $user, "r.read_seq"),
            " AS unread, ",
            $crate::cursor::unread_mentions!("h.conversation_id", $user, "r.read_seq"),
            " AS unread_mentions, l.seq AS preview_seq, l.sender_id AS preview_sender_id,
              substr(l.content, 1, ",
            $characters,
            ") AS preview_content, l.created_at AS preview_created_at, ",
            $crate::record::user_columns!(),
            ", q.read_seq AS peer_read_seq, q.delivered_seq AS peer_delivered_seq FROM page ",
            $join,
            " chat_conversation c ON c.id = page.conversation_id ",
            $join,
            " chat_head h ON h.conversation_id = page.conversation_id ",
            $join,
            " chat_cursor r ON r.conversation_id = page.conversation_id AND r.user_id = ",
            $user,
            " LEFT JOIN chat_message l
                ON l.conversation_id = page.conversation_id AND l.seq = h.last_seq
              LEFT JOIN chat_member p
                ON p.conversation_id = CASE WHEN c.kind = 'direct' THEN c.id END
                AND p.user_id <> ",
            $user,
            " LEFT JOIN chat_user u ON u.id = p.user_id
              LEFT JOIN chat_cursor q
                ON q.conversation_id = p.conversation_id AND q.user_id = p.user_id"
        )
    };
}
pub(crate) use summaries_of;

/// Reads what [`summaries_of!`] selects.
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
        activity: row.number("activity")?,
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

/// Reads a row for each membership of these users, who are told apart by their places; those that
/// come first carry a summary.
pub(crate) fn read_overviews<R: Columns>(
    users: &[UserId],
    rows: &[R],
) -> Result<Vec<Overview>, Failure> {
    let mut overviews = vec![Overview::default(); users.len()];
    for row in rows {
        let (user, overview) = asked(users, &mut overviews, row.number("place")?)?;
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
    for Overview { summaries, .. } in &mut overviews {
        summaries.sort_by_key(|one| Reverse(InboxPosition::of(one)));
    }
    Ok(overviews)
}

/// The question at a place, and its answer so far.
pub(crate) fn asked<'a, Q, A>(
    questions: &'a [Q],
    answers: &'a mut [A],
    place: u64,
) -> Result<(&'a Q, &'a mut A), Failure> {
    let place = usize::try_from(place).unwrap_or(usize::MAX);
    let asked = questions.get(place).zip(answers.get_mut(place));
    asked.ok_or(Failure::Refused("an answer to what was not asked"))
}

pub(crate) fn read_unread_total(row: &impl Columns) -> sqlx::Result<UnreadTotal> {
    Ok(UnreadTotal {
        unread: row.number("unread")?,
        unread_mentions: row.number("unread_mentions")?,
        conversations: row.number("conversations")?,
        through: row.number("through")?,
    })
}
