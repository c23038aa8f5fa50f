use std::time::Duration;

use async_trait::async_trait;
use chat_core::proto::{NodeId, UserId};
use chat_core::store::{StoreError, VisitStore};
use jiff::Timestamp;
use sqlx::{Row, SqliteConnection};

use super::SqliteStore;
use crate::columns::Columns;
use crate::failure::Failure;
use crate::value::{integer, json};

/// Visits to nodes that have not lived lately.
pub(super) const ENDED: &str = "SELECT v.user_id, n.alive_at
     FROM chat_node n JOIN chat_visit v ON v.node_id = n.id
     WHERE n.id <> ?1 AND n.alive_at <= ?2 LIMIT +?3";

#[async_trait]
impl VisitStore for SqliteStore {
    async fn record_alive(&self, node: NodeId, users: &[UserId]) -> Result<(), StoreError> {
        let users = json(users)?;
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO chat_node (id, alive_at) VALUES (?1, ?2)
                     ON CONFLICT DO UPDATE SET alive_at = excluded.alive_at",
                )
                .bind(node.as_uuid())
                .bind(Timestamp::now().as_microsecond())
                .execute(&mut *connection)
                .await?;
                sqlx::query(
                    "INSERT INTO chat_visit (user_id, node_id)
                     SELECT u.id, ?1 FROM chat_user u
                     WHERE u.id IN (SELECT value FROM json_each(?2))
                     ON CONFLICT DO UPDATE SET node_id = excluded.node_id",
                )
                .bind(node.as_uuid())
                .bind(users)
                .execute(connection)
                .await?;
                Ok(())
            })
        });
        Ok(outcome.await?)
    }

    async fn end_visits(
        &self,
        except: NodeId,
        silent: Duration,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        // Where no silence is asked for, no clock is either: it may have gone back.
        let before = match silent {
            Duration::ZERO => i64::MAX,
            silent => Timestamp::now().as_microsecond() - integer(silent.as_micros()),
        };
        let dead = "SELECT 1 FROM chat_node WHERE id <> ?1 AND alive_at <= ?2 LIMIT 1";
        let dead = sqlx::query(dead).bind(except.as_uuid()).bind(before);
        // Most looks find nothing, and reading does not wait for who writes.
        if dead.fetch_optional(&self.readers).await.map_err(Failure::from)?.is_none() {
            return Ok(Vec::new());
        }
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move { end_visits(connection, except, before, limit).await })
        });
        Ok(outcome.await?)
    }
}

async fn end_visits(
    connection: &mut SqliteConnection,
    except: NodeId,
    before: i64,
    limit: usize,
) -> Result<Vec<UserId>, Failure> {
    let rows = sqlx::query(ENDED)
        .bind(except.as_uuid())
        .bind(before)
        .bind(integer(limit))
        .fetch_all(&mut *connection)
        .await?;
    let mut ended = Vec::with_capacity(rows.len());
    for row in &rows {
        let user: UserId = row.parsed("user_id")?;
        sqlx::query(
            "UPDATE chat_user SET last_seen_at = ?2
             WHERE id = ?1 AND coalesce(last_seen_at < ?2, TRUE)",
        )
        .bind(user.as_str())
        .bind(row.try_get::<i64, _>("alive_at")?)
        .execute(&mut *connection)
        .await?;
        ended.push(user);
    }
    sqlx::query("DELETE FROM chat_visit WHERE user_id IN (SELECT value FROM json_each(?1))")
        .bind(json(&ended)?)
        .execute(&mut *connection)
        .await?;
    if ended.len() < limit {
        sqlx::query("DELETE FROM chat_node WHERE id <> ?1 AND alive_at <= ?2")
            .bind(except.as_uuid())
            .bind(before)
            .execute(connection)
            .await?;
    }
    Ok(ended)
}
