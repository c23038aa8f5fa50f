use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::session::Session;
use super::statement::sql;
use crate::columns::Columns;
use crate::failure::Failure;
use crate::rekey::{Keys, PORTION, RoomKey, UserKeys, VERSION};

/// The keys of names, in the transaction of a session.
pub(super) struct PostgresKeys<'s>(pub(super) &'s mut Session);

#[async_trait]
impl Keys for PostgresKeys<'_> {
    async fn users(&mut self, after: &str, since: i64) -> Result<Vec<UserKeys>, Failure> {
        let select = "SELECT id, username, username_key, display_name, display_key, created_at
             FROM chat_user WHERE id > $1 AND created_at >= $2 ORDER BY id LIMIT $3";
        let select = sql(select).bind(after).bind(since).bind(PORTION);
        self.0.rows(select).await?.iter().map(user).collect()
    }

    async fn user_with_key(&mut self, key: &str) -> Result<Option<UserKeys>, Failure> {
        let select = "SELECT id, username, username_key, display_name, display_key, created_at
             FROM chat_user WHERE username_key = $1";
        self.0.row(sql(select).bind(key)).await?.as_ref().map(user).transpose()
    }

    async fn set_username_key(&mut self, id: &str, key: &str) -> Result<(), Failure> {
        let update = "UPDATE chat_user SET username_key = $2 WHERE id = $1";
        self.0.execute(sql(update).bind(id).bind(key)).await.map(drop)
    }

    async fn set_display_key(&mut self, id: &str, key: &str) -> Result<(), Failure> {
        let update = "UPDATE chat_user SET display_key = $2 WHERE id = $1";
        self.0.execute(sql(update).bind(id).bind(key)).await.map(drop)
    }

    async fn add_skeletons(&mut self, rows: &[(String, String)]) -> Result<(), Failure> {
        insert_skeletons(self.0, rows).await.map(drop)
    }

    async fn rooms(&mut self, after: Uuid, since: i64) -> Result<Vec<RoomKey>, Failure> {
        let select = "SELECT id, name, name_key FROM chat_conversation
             WHERE id > $1 AND name IS NOT NULL AND created_at >= $2 ORDER BY id LIMIT $3";
        let rows = self.0.rows(sql(select).bind(after).bind(since).bind(PORTION)).await?;
        let rooms = rows.iter().map(|row| {
            let (name, key) = (row.text("name")?.to_owned(), row.text("name_key")?.to_owned());
            Ok(RoomKey { id: row.id("id")?, name, key })
        });
        Ok(rooms.collect::<sqlx::Result<_>>()?)
    }

    async fn set_room_key(&mut self, id: Uuid, key: &str) -> Result<(), Failure> {
        let update = "UPDATE chat_conversation SET name_key = $2 WHERE id = $1";
        self.0.execute(sql(update).bind(id).bind(key)).await.map(drop)
    }

    async fn rekeyed_at(&mut self) -> Result<Option<i64>, Failure> {
        let select = "SELECT rekeyed_at FROM chat_key_version WHERE version = $1";
        let row = self.0.row(sql(select).bind(VERSION)).await?;
        Ok(row.map(|row| row.try_get("rekeyed_at")).transpose()?)
    }

    async fn set_rekeyed_at(&mut self, at: i64) -> Result<(), Failure> {
        let insert = "INSERT INTO chat_key_version (version, rekeyed_at) VALUES ($1, $2)
             ON CONFLICT DO NOTHING";
        self.0.execute(sql(insert).bind(VERSION).bind(at)).await.map(drop)
    }
}

/// Adds what users' names look like, unless somebody's looks so already, and returns how many were
/// added. They must be sorted: everybody takes them in the same order, so that nobody waits for each
/// other in a circle.
pub(super) async fn insert_skeletons(
    session: &mut Session,
    rows: &[(String, String)],
) -> Result<u64, Failure> {
    let insert = "INSERT INTO chat_user_skeleton (skeleton, user_id)
         SELECT * FROM UNNEST($1::text[], $2::text[]) ON CONFLICT DO NOTHING";
    let insert = sql(insert)
        .bind(rows.iter().map(|(skeleton, _)| skeleton.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, user)| user.as_str()).collect::<Vec<_>>());
    session.execute(insert).await
}

fn user(row: &PgRow) -> Result<UserKeys, Failure> {
    Ok(UserKeys {
        id: row.text("id")?.to_owned(),
        username: row.text("username")?.to_owned(),
        username_key: row.text("username_key")?.to_owned(),
        display_name: row.text("display_name")?.to_owned(),
        display_key: row.text("display_key")?.to_owned(),
        created_at: row.try_get("created_at")?,
    })
}
