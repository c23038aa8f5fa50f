//! Records of the domain as rows: under which names a statement selects their columns, and how a
//! row of either database is read back.

mod conversation;
mod inbox;
mod login;
mod member;
mod message;
mod user;

use crate::columns::Columns;
use crate::failure::Failure;

pub(crate) use self::conversation::{
    conversation_columns, direct_conversation, read_conversation, room_conversation,
};
pub(crate) use self::inbox::{
    asked, read_overviews, read_summary, read_unread_total, summaries_of,
};
pub(crate) use self::login::read_login_session;
pub(crate) use self::member::{
    joined_by, joined_seq, member_columns, read_contact, read_member, read_membership, read_profile,
};
pub(crate) use self::message::{message_columns, read_head, read_message};
pub(crate) use self::user::{read_account, read_user, recorded_user, user_columns};

/// Reads every row.
pub(crate) fn read_all<R: Columns, T>(
    rows: &[R],
    read: impl Fn(&R) -> sqlx::Result<T>,
) -> Result<Vec<T>, Failure> {
    Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
}

/// Reads the row if there is one.
pub(crate) fn read_optional<R: Columns, T>(
    row: Option<&R>,
    read: impl Fn(&R) -> sqlx::Result<T>,
) -> Result<Option<T>, Failure> {
    Ok(row.map(read).transpose()?)
}
