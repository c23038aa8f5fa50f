use async_trait::async_trait;
use chat_proto::{LoginSessionId, UserId};
use jiff::Timestamp;

use super::{Aggregate, StoreError};

/// The SHA-256 hash of a session token: what is stored instead of the token.
pub type TokenHash = [u8; 32];

/// One login of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginSession {
    /// Which login.
    pub id: LoginSessionId,
    /// Whose.
    pub user_id: UserId,
    /// By what its token is recognised.
    pub token_hash: TokenHash,
    /// What the user logged in with, as the browser names itself; at most 256 characters.
    pub user_agent: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute or so.
    pub last_used_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Login sessions.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait LoginSessionStore: Aggregate {
    /// Records a session. When the user then has more than `max_per_user`, the least recently used
    /// others end; their ids are returned.
    async fn insert_login_session(
        &self,
        session: LoginSession,
        max_per_user: usize,
    ) -> Result<Vec<LoginSessionId>, StoreError>;

    /// The session with this token, expired or not.
    async fn login_session(
        &self,
        token_hash: &TokenHash,
    ) -> Result<Option<LoginSession>, StoreError>;

    /// Records a use, and the new end that follows from it.
    async fn touch_login_session(
        &self,
        id: LoginSessionId,
        last_used_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// The user's sessions, the most recently used first.
    async fn login_sessions(&self, user: &UserId) -> Result<Vec<LoginSession>, StoreError>;

    /// Those of these sessions that have not ended, expired or not, in any order.
    async fn existing_login_sessions(
        &self,
        ids: &[LoginSessionId],
    ) -> Result<Vec<LoginSessionId>, StoreError>;

    /// Ends one session of the user; false when the user has no such session.
    async fn end_login_session(
        &self,
        user: &UserId,
        id: LoginSessionId,
    ) -> Result<bool, StoreError>;

    /// Ends all sessions of the user but one, and returns the ids of those that ended.
    async fn end_login_sessions(
        &self,
        user: &UserId,
        except: Option<LoginSessionId>,
    ) -> Result<Vec<LoginSessionId>, StoreError>;

    /// Forgets sessions that expired before `now`; returns how many.
    async fn remove_expired_login_sessions(&self, now: Timestamp) -> Result<u64, StoreError>;
}
