use async_trait::async_trait;
use chat_proto::{LoginSessionId, UserId};
use jiff::Timestamp;

use super::data::Data;
use super::{MemoryStore, to_microsecond};
use crate::store::{LoginSession, LoginSessionStore, StoreError, TokenHash};

#[async_trait]
impl LoginSessionStore for MemoryStore {
    async fn insert_login_session(
        &self,
        mut session: LoginSession,
        max_per_user: usize,
    ) -> Result<Vec<LoginSessionId>, StoreError> {
        let mut data = self.lock();
        data.require_user(&session.user_id)?;
        let known =
            |other: &LoginSession| other.id == session.id || other.token_hash == session.token_hash;
        if data.logins.values().any(known) {
            return Err(StoreError::failed("there is a login session with this id or token"));
        }
        session.created_at = to_microsecond(session.created_at);
        session.last_used_at = to_microsecond(session.last_used_at);
        session.expires_at = to_microsecond(session.expires_at);
        let others = data.logins_of(&session.user_id);
        let kept = max_per_user.saturating_sub(1);
        let ended: Vec<_> = others.iter().skip(kept).map(|other| other.id).collect();
        for id in &ended {
            data.logins.remove(id);
        }
        data.logins.insert(session.id, session);
        Ok(ended)
    }

    async fn login_session(
        &self,
        token_hash: &TokenHash,
    ) -> Result<Option<LoginSession>, StoreError> {
        let data = self.lock();
        Ok(data.logins.values().find(|session| session.token_hash == *token_hash).cloned())
    }

    async fn touch_login_session(
        &self,
        id: LoginSessionId,
        last_used_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(session) = self.lock().logins.get_mut(&id) {
            session.last_used_at = to_microsecond(last_used_at);
            session.expires_at = to_microsecond(expires_at);
        }
        Ok(())
    }

    async fn login_sessions(&self, user: &UserId) -> Result<Vec<LoginSession>, StoreError> {
        Ok(self.lock().logins_of(user))
    }

    async fn existing_login_sessions(
        &self,
        ids: &[LoginSessionId],
    ) -> Result<Vec<LoginSessionId>, StoreError> {
        let data = self.lock();
        Ok(ids.iter().filter(|id| data.logins.contains_key(*id)).copied().collect())
    }

    async fn end_login_session(
        &self,
        user: &UserId,
        id: LoginSessionId,
    ) -> Result<bool, StoreError> {
        let mut data = self.lock();
        let theirs = data.logins.get(&id).is_some_and(|session| session.user_id == *user);
        Ok(theirs && data.logins.remove(&id).is_some())
    }

    async fn end_login_sessions(
        &self,
        user: &UserId,
        except: Option<LoginSessionId>,
    ) -> Result<Vec<LoginSessionId>, StoreError> {
        let mut data = self.lock();
        let ends = |session: &LoginSession| session.user_id == *user && Some(session.id) != except;
        let ended = data.logins.extract_if(|_, session| ends(session));
        Ok(ended.map(|(id, _)| id).collect())
    }

    async fn remove_expired_login_sessions(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut data = self.lock();
        let before = data.logins.len();
        data.logins.retain(|_, session| session.expires_at >= to_microsecond(now));
        Ok((before - data.logins.len()) as u64)
    }
}

impl Data {
    /// The user's sessions, the most recently used first.
    fn logins_of(&self, user: &UserId) -> Vec<LoginSession> {
        let theirs = self.logins.values().filter(|session| session.user_id == *user);
        let mut sessions: Vec<_> = theirs.cloned().collect();
        sessions.sort_by_key(|session| std::cmp::Reverse((session.last_used_at, session.id)));
        sessions
    }
}
