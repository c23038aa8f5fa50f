use async_trait::async_trait;
use chat_core::proto::{PresenceStatus, User, UserId};
use chat_core::store::{EnsureUser, NewUser, StoreError, UserStore};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::json_row::{JsonRow, json_columns};
use super::keys::insert_skeletons;
use crate::columns::Columns;
use crate::failure::Failure;
use crate::record::{read_all, read_optional, read_user, recorded_user, user_columns};
use crate::value::{end_of, integer, json, word};

pub(super) const USER_BY_NAME: &str =
    concat!("SELECT ", user_columns!(), " FROM chat_user u WHERE u.username_key = ?1");

const USER_BY_ID: &str = concat!("SELECT ", user_columns!(), " FROM chat_user u WHERE u.id = ?1");

json_columns! {
    USER, user: "user_id", "username", "display_name", "user_created_at", "last_seen_at",
}

pub(super) const USERS: &str = concat!(
    "SELECT json_group_array(",
    user!(),
    ") AS answer FROM (SELECT ",
    user_columns!(),
    " FROM chat_user u WHERE u.id IN (SELECT value FROM json_each(?1)))"
);

pub(super) const TAKEN: &str = "SELECT 1 FROM chat_user_skeleton
     WHERE skeleton IN (SELECT value FROM json_each(?1)) LIMIT 1";

/// Each half goes through an index of its own; the union removes who is in both.
pub(super) const SEARCH: &str = concat!(
    "SELECT * FROM (SELECT ",
    user_columns!(),
    ", u.username_key FROM chat_user u
      WHERE u.username_key >= ?1 AND u.username_key < ?2
      ORDER BY u.username_key LIMIT +?3)
    UNION
    SELECT * FROM (SELECT ",
    user_columns!(),
    ", u.username_key FROM chat_user u
      WHERE u.display_key >= ?1 AND u.display_key < ?2
      ORDER BY u.username_key LIMIT +?4)
    ORDER BY username_key LIMIT +?3"
);

#[async_trait]
impl UserStore for SqliteStore {
    async fn ensure_users(&self, users: Vec<NewUser>) -> Result<Vec<EnsureUser>, StoreError> {
        // Reading does not wait for who writes, and most are known.
        let ids: Vec<_> = users.iter().map(|user| user.id.clone()).collect();
        let known = self.users(&ids).await?;
        if ids.iter().all(|id| known.iter().any(|user| user.id == *id)) {
            let found = ids.iter().filter_map(|id| known.iter().find(|user| user.id == *id));
            return Ok(found.cloned().map(EnsureUser::Existing).collect());
        }
        let outcomes = self.writer.write(|connection| {
            Box::pin(async move {
                let mut outcomes = Vec::with_capacity(users.len());
                for user in &users {
                    outcomes.push(insert_user(connection, user).await?);
                }
                Ok(outcomes)
            })
        });
        Ok(outcomes.await?)
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        Ok(find_user(&mut *self.reader().await?, USER_BY_ID, id.as_str()).await?)
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        let query = sqlx::query(USERS).bind(json(ids)?);
        let row = query.fetch_one(&self.readers).await.map_err(Failure::from)?;
        let rows = serde_json::from_str(row.text("answer").map_err(Failure::from)?);
        let rows = JsonRow::all(USER, rows.map_err(Failure::from)?);
        Ok(read_all(&rows, read_user)?)
    }

    async fn user_by_name(&self, key: &str) -> Result<Option<User>, StoreError> {
        Ok(find_user(&mut *self.reader().await?, USER_BY_NAME, key).await?)
    }

    async fn search_users(&self, prefix: &str, limit: usize) -> Result<Vec<User>, StoreError> {
        let query = sqlx::query(SEARCH).bind(prefix);
        let query = match end_of(prefix) {
            Some(end) => query.bind(end),
            // A blob comes after every text.
            None => query.bind(&[0_u8][..]),
        };
        // All users have a name that begins with nothing, so the other names need no look.
        let by_display_name = if prefix.is_empty() { 0 } else { integer(limit) };
        let query = query.bind(integer(limit)).bind(by_display_name);
        let rows = query.fetch_all(&self.readers).await;
        Ok(read_all(&rows.map_err(Failure::from)?, read_user)?)
    }

    async fn record_last_seen(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
        let id = id.clone();
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE chat_user SET last_seen_at = ?2
                     WHERE id = ?1 AND coalesce(last_seen_at < ?2, TRUE)",
                )
                .bind(id.as_str())
                .bind(at.as_microsecond())
                .execute(&mut *connection)
                .await?;
                sqlx::query("DELETE FROM chat_visit WHERE user_id = ?1")
                    .bind(id.as_str())
                    .execute(connection)
                    .await?;
                Ok(())
            })
        });
        Ok(outcome.await?)
    }

    async fn choose_presence(&self, id: &UserId, status: PresenceStatus) -> Result<(), StoreError> {
        let (id, word) = (id.clone(), word(status)?);
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move {
                sqlx::query("UPDATE chat_user SET presence = ?2 WHERE id = ?1")
                    .bind(id.as_str())
                    .bind(word)
                    .execute(connection)
                    .await?;
                Ok(())
            })
        });
        Ok(outcome.await?)
    }
}

/// Records a user unless one with this id or a name like this is there.
pub(super) async fn insert_user(
    connection: &mut SqliteConnection,
    new: &NewUser,
) -> Result<EnsureUser, Failure> {
    if let Some(user) = find_user(connection, USER_BY_ID, new.id.as_str()).await? {
        return Ok(EnsureUser::Existing(user));
    }
    let skeletons = new.username.skeletons();
    if is_taken(connection, &skeletons).await? {
        return Ok(EnsureUser::UsernameTaken);
    }
    if is_taken(connection, &new.display_name.skeletons()).await? {
        return Ok(EnsureUser::DisplayNameTaken);
    }
    let inserted = sqlx::query(
        "INSERT INTO chat_user
           (id, username, username_key, skeleton, display_name, display_key, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO NOTHING",
    )
    .bind(new.id.as_str())
    .bind(new.username.as_str())
    .bind(new.username.key())
    .bind(&skeletons[0])
    .bind(new.display_name.as_str())
    .bind(new.display_name.key())
    .bind(new.created_at.as_microsecond())
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(EnsureUser::UsernameTaken);
    }
    let id = new.id.as_str().to_owned();
    let skeletons: Vec<_> = skeletons.into_iter().map(|look| (look, id.clone())).collect();
    insert_skeletons(connection, &skeletons).await?;
    Ok(EnsureUser::Created(recorded_user(new)))
}

/// Whether somebody's name looks like this.
async fn is_taken(
    connection: &mut SqliteConnection,
    skeletons: &[String],
) -> Result<bool, Failure> {
    let query = sqlx::query(TAKEN).bind(json(skeletons)?);
    Ok(query.fetch_optional(connection).await?.is_some())
}

async fn find_user(
    connection: &mut SqliteConnection,
    query: &'static str,
    key: &str,
) -> Result<Option<User>, Failure> {
    let row = sqlx::query(query).bind(key).fetch_optional(connection).await?;
    read_optional(row.as_ref(), read_user)
}
