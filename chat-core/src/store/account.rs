use async_trait::async_trait;
use chat_proto::{User, UserId, Username};
use secrecy::SecretString;

use super::{Aggregate, NewUser, StoreError};

/// An account to be made, together with its user.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The user.
    pub user: NewUser,
    /// The hash of the password, in PHC string format.
    pub password_hash: SecretString,
}

/// What came of [`AccountStore::create_account`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateAccount {
    /// The account and its user are recorded.
    Created(User),
    /// Another user has this name, or one that looks the same. Nothing was recorded.
    UsernameTaken,
    /// The name to show looks like the unique name of another user. Nothing was recorded.
    DisplayNameTaken,
}

/// An account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Whose.
    pub user: User,
    /// The hash of the password, in PHC string format.
    pub password_hash: SecretString,
}

/// The account of the user who has a name, as [`user_named`](super::user_named) finds users.
///
/// # Errors
///
/// A failure of the store.
pub async fn account_named(
    accounts: &dyn AccountStore,
    name: &Username,
) -> Result<Option<Account>, StoreError> {
    // Always both, so that the time taken says nothing of who is there.
    let own = accounts.account_by_name(&name.own_key()).await?;
    Ok(accounts.account_by_name(&name.key()).await?.filter(|_| own.is_none()).or(own))
}

/// Accounts: users who log in here, with a password.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait AccountStore: Aggregate {
    /// Records an account and its user in one transaction, under the same rule of names as
    /// [`UserStore::ensure_user`](super::UserStore::ensure_user).
    async fn create_account(&self, account: NewAccount) -> Result<CreateAccount, StoreError>;

    /// The account of the user with this [name key](Username::key), or [`Username::own_key`]. See
    /// [`account_named`].
    async fn account_by_name(&self, key: &str) -> Result<Option<Account>, StoreError>;

    /// The account of this user.
    async fn account(&self, user: &UserId) -> Result<Option<Account>, StoreError>;

    /// Replaces the hash of the password; false when the user has no account.
    async fn set_password(
        &self,
        user: &UserId,
        password_hash: SecretString,
    ) -> Result<bool, StoreError>;
}
