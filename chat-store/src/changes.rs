//! What both databases do alike with what has changed.

use chat_core::proto::{ChangeEvent, Member, MemberState};
use chat_core::store::Changes;

use crate::columns::Columns;
use crate::record::{read_message, read_profile};

/// The answer, made of all changes after some number; more than `limit` of them show that they are
/// not all.
pub(crate) fn first_of(mut events: Vec<ChangeEvent>, head: u64, limit: usize) -> Changes {
    events.sort_by_key(ChangeEvent::change_seq);
    let complete = events.len() <= limit;
    events.truncate(limit);
    let last = events.last().map(ChangeEvent::change_seq).filter(|_| !complete);
    Changes { events, through: last.unwrap_or(head), complete }
}

/// The answer when nothing has changed.
pub(crate) const fn none_since(head: u64) -> Changes {
    Changes { events: Vec::new(), through: head, complete: true }
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

/// Reads a change of a membership.
pub(crate) fn membership_changed(row: &impl Columns) -> sqlx::Result<ChangeEvent> {
    let member = read_profile(row)?;
    let Member { conversation_id, change_seq, state, .. } = member.member;
    Ok(match state {
        MemberState::Left => ChangeEvent::MemberLeft { conversation_id, change_seq, member },
        _ => ChangeEvent::MemberJoined { conversation_id, change_seq, member },
    })
}
