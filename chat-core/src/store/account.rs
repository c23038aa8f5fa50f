use async_trait::async_trait;
use chat_proto::{User, UserId};
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
    /// Another user has this name, or one with the same skeleton. Nothing was recorded.
    UsernameTaken,
}

/// An account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Whose.
    pub user: User,
    /// The hash of the password, in PHC string format.
    pub password_hash: SecretString,
}

/// Accounts: users who log in here, with a password.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait AccountStore: Aggregate {
    /// Records an account and its user in one transaction, under the same rule of names as
    /// [`UserStore::ensure_user`](super::UserStore::ensure_user).
    async fn create_account(&self, account: NewAccount) -> Result<CreateAccount, StoreError>;

    /// The account of the user with this [name key](chat_proto::Username::key).
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
