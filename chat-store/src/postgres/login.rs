use async_trait::async_trait;
use chat_core::proto::{LoginSessionId, UserId};
use chat_core::store::{LoginSession, LoginSessionStore, StoreError, TokenHash};
use jiff::Timestamp;
use uuid::Uuid;

use super::PostgresStore;
use super::member::lock_user;
use super::server::Repeat;
use super::session::Session;
use super::statement::sql;
use crate::columns::Columns;
use crate::failure::Failure;
use crate::record::{read_all, read_login_session, read_optional};
use crate::value::integer;

pub(super) const BY_TOKEN: &str = "SELECT * FROM chat_login_session WHERE token_hash = $1";

pub(super) const OF_USER: &str = "SELECT * FROM chat_login_session WHERE user_id = $1
     ORDER BY last_used_at DESC, id DESC";

pub(super) const EXISTING: &str = "SELECT id FROM chat_login_session WHERE id = ANY($1)";

pub(super) const EXPIRED: &str = "DELETE FROM chat_login_session WHERE expires_at < $1";

#[async_trait]
impl LoginSessionStore for PostgresStore {
    async fn insert_login_session(
        &self,
        session: LoginSession,
        max_per_user: usize,
    ) -> Result<Vec<LoginSessionId>, StoreError> {
        let outcome = self.primary.write(Repeat::Harmful, move |database| {
            let session = session.clone();
            Box::pin(async move {
                // Logins of one user count each other.
                lock_user(database, &session.user_id).await?;
                // The new one is among those kept, so it is inserted after the others are chosen.
                let kept = max_per_user.saturating_sub(1);
                let ended = end_least_used(database, &session.user_id, kept).await?;
                insert(database, &session).await?;
                Ok(ended)
            })
        });
        Ok(outcome.await?)
    }

    async fn login_session(
        &self,
        token_hash: &TokenHash,
    ) -> Result<Option<LoginSession>, StoreError> {
        let row = self.primary.row(sql(BY_TOKEN).bind(&token_hash[..])).await?;
        Ok(read_optional(row.as_ref(), read_login_session)?)
    }

    async fn touch_login_session(
        &self,
        id: LoginSessionId,
        last_used_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let outcome = self.primary.write(Repeat::Harmless, move |session| {
            let touch = sql("UPDATE chat_login_session SET last_used_at = $2, expires_at = $3
                 WHERE id = $1")
            .bind(id.as_uuid())
            .bind(last_used_at.as_microsecond())
            .bind(expires_at.as_microsecond());
            Box::pin(async move { session.execute(touch).await.map(drop) })
        });
        Ok(outcome.await?)
    }

    async fn login_sessions(&self, user: &UserId) -> Result<Vec<LoginSession>, StoreError> {
        let rows = self.primary.rows(sql(OF_USER).bind(user.as_str())).await?;
        Ok(read_all(&rows, read_login_session)?)
    }

    async fn existing_login_sessions(
        &self,
        ids: &[LoginSessionId],
    ) -> Result<Vec<LoginSessionId>, StoreError> {
        let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
        let rows = self.primary.rows(sql(EXISTING).bind(ids)).await?;
        Ok(read_all(&rows, |row| row.id("id"))?)
    }

    async fn end_login_session(
        &self,
        user: &UserId,
        id: LoginSessionId,
    ) -> Result<bool, StoreError> {
        let user = user.clone();
        let outcome = self.primary.write(Repeat::Harmful, move |session| {
            let delete = sql("DELETE FROM chat_login_session WHERE id = $1 AND user_id = $2")
                .bind(id.as_uuid())
                .bind(user.as_str());
            Box::pin(async move { Ok(session.execute(delete).await? > 0) })
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
        let outcome = self.primary.write(Repeat::Harmful, move |session| {
            let delete = sql("DELETE FROM chat_login_session WHERE user_id = $1 AND id <> $2
                 RETURNING id")
            .bind(user.as_str())
            .bind(except);
            Box::pin(async move { read_all(&session.rows(delete).await?, |row| row.id("id")) })
        });
        Ok(outcome.await?)
    }

    async fn remove_expired_login_sessions(&self, now: Timestamp) -> Result<u64, StoreError> {
        let outcome = self.primary.write(Repeat::Harmful, move |session| {
            let delete = sql(EXPIRED).bind(now.as_microsecond());
            Box::pin(async move { session.execute(delete).await })
        });
        Ok(outcome.await?)
    }
}

/// Ends all sessions of a user but the most recently used.
async fn end_least_used(
    session: &mut Session,
    user: &UserId,
    kept: usize,
) -> Result<Vec<LoginSessionId>, Failure> {
    let delete = sql("DELETE FROM chat_login_session WHERE id IN
           (SELECT id FROM chat_login_session WHERE user_id = $1
            ORDER BY last_used_at DESC, id DESC OFFSET $2)
         RETURNING id")
    .bind(user.as_str())
    .bind(integer(kept));
    read_all(&session.rows(delete).await?, |row| row.id("id"))
}

async fn insert(database: &mut Session, session: &LoginSession) -> Result<(), Failure> {
    let insert = sql("INSERT INTO chat_login_session
           (id, user_id, token_hash, user_agent, created_at, last_used_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)")
    .bind(session.id.as_uuid())
    .bind(session.user_id.as_str())
    .bind(&session.token_hash[..])
    .bind(session.user_agent.as_deref())
    .bind(session.created_at.as_microsecond())
    .bind(session.last_used_at.as_microsecond())
    .bind(session.expires_at.as_microsecond());
    database.execute(insert).await?;
    Ok(())
}
