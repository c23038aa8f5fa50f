use async_trait::async_trait;
use chat_core::proto::{LoginSessionId, UserId};
use chat_core::store::{LoginSession, LoginSessionStore, StoreError, TokenHash};
use jiff::Timestamp;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::SqliteStore;
use super::hex::Hex;
use crate::columns::Columns;
use crate::failure::Failure;
use crate::record::{read_all, read_login_session, read_optional};
use crate::value::{integer, json};

pub(super) const BY_TOKEN: &str = "SELECT * FROM chat_login_session WHERE token_hash = ?1";

pub(super) const OF_USER: &str = "SELECT * FROM chat_login_session WHERE user_id = ?1
     ORDER BY last_used_at DESC, id DESC";

pub(super) const EXISTING: &str = "SELECT id FROM chat_login_session
     WHERE id IN (SELECT unhex(value) FROM json_each(?1))";

pub(super) const EXPIRED: &str = "DELETE FROM chat_login_session WHERE expires_at < ?1";

#[async_trait]
impl LoginSessionStore for SqliteStore {
    async fn insert_login_session(
        &self,
        session: LoginSession,
        max_per_user: usize,
    ) -> Result<Vec<LoginSessionId>, StoreError> {
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move {
                // The new one is among those kept, so it is inserted after the others are chosen.
                let kept = max_per_user.saturating_sub(1);
                let ended = end_least_used(connection, &session.user_id, kept).await?;
                insert(connection, &session).await?;
                Ok(ended)
            })
        });
        Ok(outcome.await?)
    }

    async fn login_session(
        &self,
        token_hash: &TokenHash,
    ) -> Result<Option<LoginSession>, StoreError> {
        let query = sqlx::query(BY_TOKEN).bind(&token_hash[..]);
        let row = query.fetch_optional(&self.readers).await.map_err(Failure::from)?;
        Ok(read_optional(row.as_ref(), read_login_session)?)
    }

    async fn touch_login_session(
        &self,
        id: LoginSessionId,
        last_used_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE chat_login_session SET last_used_at = ?2, expires_at = ?3
                     WHERE id = ?1",
                )
                .bind(id.as_uuid())
                .bind(last_used_at.as_microsecond())
                .bind(expires_at.as_microsecond())
                .execute(connection)
                .await?;
                Ok(())
            })
        });
        Ok(outcome.await?)
    }

    async fn login_sessions(&self, user: &UserId) -> Result<Vec<LoginSession>, StoreError> {
        let query = sqlx::query(OF_USER).bind(user.as_str());
        let rows = query.fetch_all(&self.readers).await.map_err(Failure::from)?;
        Ok(read_all(&rows, read_login_session)?)
    }

    async fn existing_login_sessions(
        &self,
        ids: &[LoginSessionId],
    ) -> Result<Vec<LoginSessionId>, StoreError> {
        let ids: Vec<_> = ids.iter().map(|id| Hex(id.as_uuid())).collect();
        let query = sqlx::query(EXISTING).bind(json(ids)?);
        let rows = query.fetch_all(&self.readers).await.map_err(Failure::from)?;
        Ok(read_ids(&rows)?)
    }

    async fn end_login_session(
        &self,
        user: &UserId,
        id: LoginSessionId,
    ) -> Result<bool, StoreError> {
        let user = user.clone();
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move {
                let delete = "DELETE FROM chat_login_session WHERE id = ?1 AND user_id = ?2";
                let query = sqlx::query(delete).bind(id.as_uuid()).bind(user.as_str());
                Ok(query.execute(connection).await?.rows_affected() > 0)
            })
        });
        Ok(outcome.await?)
    }

    async fn end_login_sessions(
        &self,
        user: &UserId,
        except: Option<LoginSessionId>,
    ) -> Result<Vec<LoginSessionId>, StoreError> {
        let user = user.clone();
        // No session has the nil id.
        let except = except.map_or(Uuid::nil(), |id| id.as_uuid());
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(
                    "DELETE FROM chat_login_session WHERE user_id = ?1 AND id <> ?2
                     RETURNING id",
                )
                .bind(user.as_str())
                .bind(except)
                .fetch_all(connection)
                .await?;
                read_ids(&rows)
            })
        });
        Ok(outcome.await?)
    }

    async fn remove_expired_login_sessions(&self, now: Timestamp) -> Result<u64, StoreError> {
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move {
                let query = sqlx::query(EXPIRED).bind(now.as_microsecond());
                Ok(query.execute(connection).await?.rows_affected())
            })
        });
        Ok(outcome.await?)
    }
}

/// Ends all sessions of a user but the most recently used.
async fn end_least_used(
    connection: &mut SqliteConnection,
    user: &UserId,
    kept: usize,
) -> Result<Vec<LoginSessionId>, Failure> {
    let rows = sqlx::query(
        "DELETE FROM chat_login_session WHERE id IN
           (SELECT id FROM chat_login_session WHERE user_id = ?1
            ORDER BY last_used_at DESC, id DESC LIMIT -1 OFFSET ?2)
         RETURNING id",
    )
    .bind(user.as_str())
    .bind(integer(kept))
    .fetch_all(connection)
    .await?;
    read_ids(&rows)
}

async fn insert(connection: &mut SqliteConnection, session: &LoginSession) -> Result<(), Failure> {
    sqlx::query(
        "INSERT INTO chat_login_session
           (id, user_id, token_hash, user_agent, created_at, last_used_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(session.id.as_uuid())
    .bind(session.user_id.as_str())
    .bind(&session.token_hash[..])
    .bind(session.user_agent.as_deref())
    .bind(session.created_at.as_microsecond())
    .bind(session.last_used_at.as_microsecond())
    .bind(session.expires_at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

fn read_ids(rows: &[SqliteRow]) -> Result<Vec<LoginSessionId>, Failure> {
    read_all(rows, |row| row.id("id"))
}
