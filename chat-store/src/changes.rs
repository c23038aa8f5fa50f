//! What both databases do alike with what has changed.

use chat_core::proto::{ChangeEvent, ConversationId, Member, MemberState};
use chat_core::store::{Changes, Missed};

use crate::columns::Columns;
use crate::record::{read_message, read_profile};

/// Reads the answer: in each row the head, as `head_change_seq`, and one of the first changes after
/// some number, if there is any. More than `limit` of them show that they are not all.
pub(crate) fn read_changes(
    rows: &[impl Columns],
    since: u64,
    limit: usize,
) -> sqlx::Result<Changes> {
    let Some(first) = rows.first() else { return Ok(none_since(0)) };
    let head = first.number("head_change_seq")?;
    if first.is_null("changed_by")? {
        return Ok(none_since(head));
    }
    let events = rows.iter().map(|row| read_change(row, since));
    Ok(first_of(events.collect::<sqlx::Result<_>>()?, head, limit))
}

/// Reads a change of either kind, for somebody who knows what was before `since`.
pub(crate) fn read_change(row: &impl Columns, since: u64) -> sqlx::Result<ChangeEvent> {
    if row.is_null("message_id")? { membership_changed(row, since) } else { message_created(row) }
}

/// The answer, made of all changes after some number; more than `limit` of them show that they are
/// not all.
fn first_of(mut events: Vec<ChangeEvent>, head: u64, limit: usize) -> Changes {
    events.sort_by_key(ChangeEvent::change_seq);
    let complete = events.len() <= limit;
    events.truncate(limit);
    let last = events.last().map(ChangeEvent::change_seq).filter(|_| !complete);
    Changes { events, through: last.unwrap_or(head), complete }
}

/// The answer when nothing has changed.
const fn none_since(head: u64) -> Changes {
    Changes { events: Vec::new(), through: head, complete: true }
}

/// What a member missed, made of all changes after `since` up to `until`, in any order.
pub(crate) fn missed(
    conversation_id: ConversationId,
    change_seq: u64,
    (since, until): (u64, u64),
    mut events: Vec<ChangeEvent>,
) -> Missed {
    events.sort_by_key(ChangeEvent::change_seq);
    let changes = Changes { events, through: until, complete: until >= change_seq };
    Missed { conversation_id, change_seq, changes: (until > since).then_some(changes) }
}

/// Reads a change that is a message.
pub(crate) fn message_created(row: &impl Columns) -> sqlx::Result<ChangeEvent> {
    let message = read_message(row)?;
    Ok(ChangeEvent::MessageCreated {
        conversation_id: message.conversation_id,
        change_seq: message.change_seq,
        message,
    })
}

/// Reads a change of a membership. Of a member who joined after `since`, it is the joining, whatever has
/// become of the record meanwhile.
pub(crate) fn membership_changed(row: &impl Columns, since: u64) -> sqlx::Result<ChangeEvent> {
    let member = read_profile(row)?;
    let joined = row.optional_number("joined_seq")?;
    let Member { conversation_id, change_seq, state, .. } = member.member;
    Ok(match state {
        MemberState::Left => ChangeEvent::MemberLeft { conversation_id, change_seq, member },
        MemberState::Joined if joined.is_some_and(|joined| joined <= since) => {
            ChangeEvent::MemberUpdated { conversation_id, change_seq, member }
        }
        _ => ChangeEvent::MemberJoined { conversation_id, change_seq, member },
    })
}
