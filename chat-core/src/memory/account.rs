use async_trait::async_trait;
use chat_proto::UserId;
use secrecy::SecretString;

use super::MemoryStore;
use super::data::Data;
use crate::store::{Account, AccountStore, CreateAccount, EnsureUser, NewAccount, StoreError};

#[async_trait]
impl AccountStore for MemoryStore {
    async fn create_account(&self, account: NewAccount) -> Result<CreateAccount, StoreError> {
        let mut data = self.lock();
        match data.ensure_user(account.user) {
            EnsureUser::Created(user) => {
                data.passwords.insert(user.id.clone(), account.password_hash);
                Ok(CreateAccount::Created(user))
            }
            EnsureUser::Existing(_) => Err(StoreError::failed("there is a user with this id")),
            EnsureUser::UsernameTaken => Ok(CreateAccount::UsernameTaken),
            EnsureUser::DisplayNameTaken => Ok(CreateAccount::DisplayNameTaken),
        }
    }

    async fn account_by_name(&self, key: &str) -> Result<Option<Account>, StoreError> {
        let data = self.lock();
        Ok(data.user_keys.get(key).and_then(|id| data.account(id)))
    }

    async fn account(&self, user: &UserId) -> Result<Option<Account>, StoreError> {
        Ok(self.lock().account(user))
    }

    async fn set_password(
        &self,
        user: &UserId,
        password_hash: SecretString,
    ) -> Result<bool, StoreError> {
        let mut data = self.lock();
        let current = data.passwords.get_mut(user);
        Ok(current.map(|current| *current = password_hash).is_some())
    }
}

impl Data {
    fn account(&self, id: &UserId) -> Option<Account> {
        let password_hash = self.passwords.get(id)?.clone();
        Some(Account { user: self.users.get(id)?.clone(), password_hash })
    }
}
