use chat_core::proto::{Member, MemberProfile, UserId};
use chat_core::store::{Contact, Membership};

use super::read_user;
use crate::columns::Columns;

/// The columns of a membership in a table `m`, under names that no other table of a query has.
macro_rules! member_columns {
    () => {
        "m.conversation_id AS member_of, m.user_id AS member_id, m.role, m.state, \
         m.change_seq AS member_change_seq, m.joined_at"
    };
}
pub(crate) use member_columns;

/// Reads [`member_columns!`].
pub(crate) fn read_member(row: &impl Columns) -> sqlx::Result<Member> {
    Ok(Member {
        conversation_id: row.id("member_of")?,
        user_id: row.parsed("member_id")?,
        role: row.word("role")?,
        state: row.word("state")?,
        change_seq: row.number("member_change_seq")?,
        joined_at: row.time("joined_at")?,
    })
}

/// The change by which a member `m` joined, if the record has changed since, under a name that no other
/// column of a query has.
macro_rules! joined_seq {
    () => {
        "(SELECT p.joined_seq FROM chat_promotion p \
          WHERE p.conversation_id = m.conversation_id AND p.user_id = m.user_id \
            AND p.change_seq = m.change_seq) AS joined_seq"
    };
}
pub(crate) use joined_seq;

/// The change by which a member in a table joined the last time.
macro_rules! joined_by {
    ($member:literal) => {
        concat!(
            "coalesce((SELECT p.joined_seq FROM chat_promotion p WHERE p.conversation_id = ",
            $member,
            ".conversation_id AND p.user_id = ",
            $member,
            ".user_id AND p.change_seq = ",
            $member,
            ".change_seq), ",
            $member,
            ".change_seq)"
        )
    };
}
pub(crate) use joined_by;

/// Reads [`member_columns!`] and [`user_columns!`](super::user_columns).
pub(crate) fn read_profile(row: &impl Columns) -> sqlx::Result<MemberProfile> {
    Ok(MemberProfile { member: read_member(row)?, user: read_user(row)? })
}

/// Reads those of [`member_columns!`] that a membership is made of.
pub(crate) fn read_membership(row: &impl Columns) -> sqlx::Result<Membership> {
    Ok(Membership {
        user_id: read_user_id(row)?,
        conversation_id: row.id("member_of")?,
        change_seq: row.number("member_change_seq")?,
    })
}

/// Reads who the member is, and of what.
pub(crate) fn read_contact(row: &impl Columns) -> sqlx::Result<Contact> {
    Ok(Contact { user_id: read_user_id(row)?, conversation_id: row.id("member_of")? })
}

/// Reads who the member is.
fn read_user_id(row: &impl Columns) -> sqlx::Result<UserId> {
    row.parsed("member_id")
}
