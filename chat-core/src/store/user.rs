use async_trait::async_trait;
use chat_proto::{DisplayName, User, UserId, Username};
use jiff::Timestamp;

use super::{Aggregate, StoreError};

/// A user to be recorded at first sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Who it is, as the host names the user.
    pub id: UserId,
    /// The unique name.
    pub username: Username,
    /// The name to show.
    pub display_name: DisplayName,
    /// Now.
    pub created_at: Timestamp,
}

/// What came of [`UserStore::ensure_user`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnsureUser {
    /// A user with this id was there already, perhaps under another name; it is unchanged.
    Existing(User),
    /// The user is now recorded.
    Created(User),
    /// Another user has this name, or one with the same skeleton. Nothing was recorded.
    UsernameTaken,
}

/// Users, whoever vouches for them.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait UserStore: Aggregate {
    /// Records a user unless one with this id is there.
    ///
    /// To ensure correctness: no two users may share [`Username::key`] or [`Username::skeleton`],
    /// however many calls run at once.
    async fn ensure_user(&self, user: NewUser) -> Result<EnsureUser, StoreError>;

    /// The user with this id.
    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError>;

    /// The users with these ids, in any order; unknown ids are left out.
    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, StoreError>;

    /// The user whose [`Username::key`] is this.
    async fn user_by_name(&self, key: &str) -> Result<Option<User>, StoreError>;

    /// Up to `limit` users whose name key or lower-cased display name begins with `prefix`, which
    /// is lower case already, in the order of their name keys. An empty prefix finds all. Every
    /// character of `prefix` stands for itself.
    async fn search_users(&self, prefix: &str, limit: usize) -> Result<Vec<User>, StoreError>;

    /// Records when the user's last session ended. A time before the recorded one changes nothing.
    async fn record_last_seen(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError>;
}
