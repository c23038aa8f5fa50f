use chat_core::proto::{DisplayName, User, Username};
use chat_core::store::Account;

use crate::columns::Columns;

/// The columns of a user in a table `u`, under names that no other table of a query has.
macro_rules! user_columns {
    () => {
        "u.id AS user_id, u.username, u.display_name, u.created_at AS user_created_at, \
         u.last_seen_at"
    };
}
pub(crate) use user_columns;

/// Reads [`user_columns!`].
pub(crate) fn read_user(row: &impl Columns) -> sqlx::Result<User> {
    Ok(User {
        id: row.parsed("user_id")?,
        username: Username::from_stored(row.text("username")?.to_owned()),
        display_name: DisplayName::from_stored(row.text("display_name")?.to_owned()),
        created_at: row.time("user_created_at")?,
        last_seen_at: row.optional_time("last_seen_at")?,
    })
}

/// Reads [`user_columns!`] and the hash of a password.
pub(crate) fn read_account(row: &impl Columns) -> sqlx::Result<Account> {
    Ok(Account { user: read_user(row)?, password_hash: row.text("password_hash")?.into() })
}
