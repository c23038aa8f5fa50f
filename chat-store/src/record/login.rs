use chat_core::store::LoginSession;

use crate::columns::{Columns, decode};

/// Reads all columns of the table.
pub(crate) fn read_login_session(row: &impl Columns) -> sqlx::Result<LoginSession> {
    let token_hash = row.bytes("token_hash")?.try_into();
    Ok(LoginSession {
        id: row.id("id")?,
        user_id: row.parsed("user_id")?,
        token_hash: token_hash.map_err(|error| decode("token_hash", error))?,
        user_agent: row.optional_text("user_agent")?.map(str::to_owned),
        created_at: row.time("created_at")?,
        last_used_at: row.time("last_used_at")?,
        expires_at: row.time("expires_at")?,
    })
}
