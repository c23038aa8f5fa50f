use async_trait::async_trait;
use chat_proto::{DisplayName, PresenceStatus, User, UserId, Username};
use jiff::Timestamp;

use super::{Aggregate, StoreError, only};

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
    /// Another user has this name, or one that looks the same. Nothing was recorded.
    UsernameTaken,
    /// The name to show looks like the unique name of another user. Nothing was recorded.
    DisplayNameTaken,
}

/// The user who has a name: the one whose name is written exactly so, or else the one who has its
/// [`key`](Username::key).
///
/// The two differ only where users got their names under rules that told them apart: see
/// [`Username::own_key`].
///
/// # Errors
///
/// A failure of the store.
pub async fn user_named(
    users: &dyn UserStore,
    name: &Username,
) -> Result<Option<User>, StoreError> {
    let found = users.user_by_name(&name.key()).await?;
    match &found {
        Some(user) if user.username != *name => {
            Ok(users.user_by_name(&name.own_key()).await?.or(found))
        }
        _ => Ok(found),
    }
}

/// Users, whoever vouches for them.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait UserStore: Aggregate {
    /// Records those of these users who are not there, all in one transaction; the outcomes are in
    /// the order of the users. One call for all who are seen for the first time in one moment.
    ///
    /// To ensure correctness: no two users may share [`Username::key`] or one of
    /// [`Username::skeletons`], however many calls run at once, nor within one call. A user whose
    /// [`DisplayName::skeletons`] have one of another user's among them is not recorded; of two such
    /// users who come at once, both may be. A name that is taken refuses its own user alone.
    async fn ensure_users(&self, users: Vec<NewUser>) -> Result<Vec<EnsureUser>, StoreError>;

    /// Records one user, as [`ensure_users`](UserStore::ensure_users) does.
    async fn ensure_user(&self, user: NewUser) -> Result<EnsureUser, StoreError> {
        only(self.ensure_users(vec![user]).await?)
    }

    /// The user with this id.
    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError>;

    /// The users with these ids, in any order; unknown ids are left out.
    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, StoreError>;

    /// The user whose [`Username::key`] this is, or [`Username::own_key`] where that was given. See
    /// [`user_named`].
    async fn user_by_name(&self, key: &str) -> Result<Option<User>, StoreError>;

    /// Up to `limit` users whose name key or [`DisplayName::key`] begins with `prefix`, which is
    /// [folded](chat_proto::fold) already, in the order of their name keys. An empty prefix finds
    /// all. Every character of `prefix` stands for itself.
    async fn search_users(&self, prefix: &str, limit: usize) -> Result<Vec<User>, StoreError>;

    /// Records when the user's last session ended, and ends the user's visit, if one is
    /// [recorded](super::VisitStore). A time before the recorded one changes nothing else.
    async fn record_last_seen(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError>;

    /// Records how a user wants to be shown while online, until another choice: it is found in the
    /// user's [`Circle`](super::Circle).
    async fn choose_presence(&self, id: &UserId, status: PresenceStatus) -> Result<(), StoreError>;
}
