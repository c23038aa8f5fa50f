use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use crate::columns::Columns;
use crate::failure::Failure;
use crate::rekey::{Keys, PORTION, RoomKey, UserKeys, VERSION};
use crate::value::json;

/// The keys of names, in the transaction of a connection.
pub(super) struct SqliteKeys<'c>(pub(super) &'c mut SqliteConnection);

#[async_trait]
impl Keys for SqliteKeys<'_> {
    async fn users(&mut self, after: &str, since: i64) -> Result<Vec<UserKeys>, Failure> {
        const SELECT: &str =
            "SELECT id, username, username_key, display_name, display_key, created_at
             FROM chat_user WHERE id > ?1 AND created_at >= ?2 ORDER BY id LIMIT ?3";
        let query = sqlx::query(SELECT).bind(after).bind(since).bind(PORTION);
        query.fetch_all(&mut *self.0).await?.iter().map(user).collect()
    }

    async fn user_with_key(&mut self, key: &str) -> Result<Option<UserKeys>, Failure> {
        const SELECT: &str =
            "SELECT id, username, username_key, display_name, display_key, created_at
             FROM chat_user WHERE username_key = ?1";
        let row = sqlx::query(SELECT).bind(key).fetch_optional(&mut *self.0).await?;
        row.as_ref().map(user).transpose()
    }

    async fn set_username_key(&mut self, id: &str, key: &str) -> Result<(), Failure> {
        let update = "UPDATE chat_user SET username_key = ?2 WHERE id = ?1";
        sqlx::query(update).bind(id).bind(key).execute(&mut *self.0).await?;
        Ok(())
    }

    async fn set_display_key(&mut self, id: &str, key: &str) -> Result<(), Failure> {
        let update = "UPDATE chat_user SET display_key = ?2 WHERE id = ?1";
        sqlx::query(update).bind(id).bind(key).execute(&mut *self.0).await?;
        Ok(())
    }

    async fn add_skeletons(&mut self, rows: &[(String, String)]) -> Result<(), Failure> {
        insert_skeletons(self.0, rows).await.map(drop)
    }

    async fn rooms(&mut self, after: Uuid, since: i64) -> Result<Vec<RoomKey>, Failure> {
        let select = "SELECT id, name, name_key FROM chat_conversation
             WHERE id > ?1 AND name IS NOT NULL AND created_at >= ?2 ORDER BY id LIMIT ?3";
        let query = sqlx::query(select).bind(after).bind(since).bind(PORTION);
        let rows = query.fetch_all(&mut *self.0).await?;
        let rooms = rows.iter().map(|row| {
            let (name, key) = (row.text("name")?.to_owned(), row.text("name_key")?.to_owned());
            Ok(RoomKey { id: row.id("id")?, name, key })
        });
        Ok(rooms.collect::<sqlx::Result<_>>()?)
    }

    async fn set_room_key(&mut self, id: Uuid, key: &str) -> Result<(), Failure> {
        let update = "UPDATE chat_conversation SET name_key = ?2 WHERE id = ?1";
        sqlx::query(update).bind(id).bind(key).execute(&mut *self.0).await?;
        Ok(())
    }

    async fn rekeyed_at(&mut self) -> Result<Option<i64>, Failure> {
        let select = "SELECT rekeyed_at FROM chat_key_version WHERE version = ?1";
        let query = sqlx::query_scalar(select).bind(VERSION);
        Ok(query.fetch_optional(&mut *self.0).await?)
    }

    async fn set_rekeyed_at(&mut self, at: i64) -> Result<(), Failure> {
        let insert = "INSERT INTO chat_key_version (version, rekeyed_at) VALUES (?1, ?2)
             ON CONFLICT DO NOTHING";
        sqlx::query(insert).bind(VERSION).bind(at).execute(&mut *self.0).await?;
        Ok(())
    }
}

/// Adds what users' names look like, unless somebody's looks so already.
pub(super) async fn insert_skeletons(
    connection: &mut SqliteConnection,
    rows: &[(String, String)],
) -> Result<u64, Failure> {
    // The condition keeps the parser from taking ON for that of a join.
    let insert = "INSERT INTO chat_user_skeleton (skeleton, user_id)
         SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE TRUE ON CONFLICT DO NOTHING";
    let done = sqlx::query(insert).bind(json(rows)?).execute(connection).await?;
    Ok(done.rows_affected())
}

fn user(row: &SqliteRow) -> Result<UserKeys, Failure> {
    Ok(UserKeys {
        id: row.text("id")?.to_owned(),
        username: row.text("username")?.to_owned(),
        username_key: row.text("username_key")?.to_owned(),
        display_name: row.text("display_name")?.to_owned(),
        display_key: row.text("display_key")?.to_owned(),
        created_at: row.try_get("created_at")?,
    })
}
