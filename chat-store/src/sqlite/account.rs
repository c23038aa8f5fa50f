use async_trait::async_trait;
use chat_core::proto::UserId;
use chat_core::store::{Account, AccountStore, CreateAccount, EnsureUser, NewAccount, StoreError};
use secrecy::{ExposeSecret, SecretString};
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::user::insert_user;
use crate::failure::Failure;
use crate::record::{read_account, read_optional, user_columns};

const BY_ID: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", a.password_hash FROM chat_account a JOIN chat_user u ON u.id = a.user_id
      WHERE a.user_id = ?1"
);

pub(super) const BY_NAME: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", a.password_hash FROM chat_user u JOIN chat_account a ON a.user_id = u.id
      WHERE u.username_key = ?1"
);

#[async_trait]
impl AccountStore for SqliteStore {
    async fn create_account(&self, account: NewAccount) -> Result<CreateAccount, StoreError> {
        let outcome = self
            .writer
            .write(|connection| Box::pin(async move { create(connection, account).await }));
        Ok(outcome.await?)
    }

    async fn account_by_name(&self, key: &str) -> Result<Option<Account>, StoreError> {
        Ok(find(&mut *self.reader().await?, BY_NAME, key).await?)
    }

    async fn account(&self, user: &UserId) -> Result<Option<Account>, StoreError> {
        Ok(find(&mut *self.reader().await?, BY_ID, user.as_str()).await?)
    }

    async fn set_password(
        &self,
        user: &UserId,
        password_hash: SecretString,
    ) -> Result<bool, StoreError> {
        let user = user.clone();
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move {
                let update = "UPDATE chat_account SET password_hash = ?2 WHERE user_id = ?1";
                let query =
                    sqlx::query(update).bind(user.as_str()).bind(password_hash.expose_secret());
                Ok(query.execute(connection).await?.rows_affected() > 0)
            })
        });
        Ok(outcome.await?)
    }
}

async fn create(
    connection: &mut SqliteConnection,
    account: NewAccount,
) -> Result<CreateAccount, Failure> {
    let user = match insert_user(connection, &account.user).await? {
        EnsureUser::Created(user) => user,
        EnsureUser::UsernameTaken => return Ok(CreateAccount::UsernameTaken),
        EnsureUser::DisplayNameTaken => return Ok(CreateAccount::DisplayNameTaken),
        EnsureUser::Existing(_) => return Err(Failure::Refused("there is a user with this id")),
    };
    sqlx::query("INSERT INTO chat_account (user_id, password_hash) VALUES (?1, ?2)")
        .bind(user.id.as_str())
        .bind(account.password_hash.expose_secret())
        .execute(connection)
        .await?;
    Ok(CreateAccount::Created(user))
}

async fn find(
    connection: &mut SqliteConnection,
    query: &'static str,
    key: &str,
) -> Result<Option<Account>, Failure> {
    let row = sqlx::query(query).bind(key).fetch_optional(connection).await?;
    read_optional(row.as_ref(), read_account)
}
