use async_trait::async_trait;
use chat_core::proto::UserId;
use chat_core::store::{Account, AccountStore, CreateAccount, EnsureUser, NewAccount, StoreError};
use secrecy::{ExposeSecret, SecretString};

use super::PostgresStore;
use super::server::Repeat;
use super::session::Session;
use super::statement::{is_storable, sql};
use super::user::insert_user;
use crate::failure::Failure;
use crate::record::{read_account, read_optional, user_columns};

const BY_ID: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", a.password_hash FROM chat_account a JOIN chat_user u ON u.id = a.user_id
      WHERE a.user_id = $1"
);

pub(super) const BY_NAME: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", a.password_hash FROM chat_user u JOIN chat_account a ON a.user_id = u.id
      WHERE u.username_key = $1"
);

#[async_trait]
impl AccountStore for PostgresStore {
    async fn create_account(&self, account: NewAccount) -> Result<CreateAccount, StoreError> {
        let outcome = self.primary.write(Repeat::Harmful, move |session| {
            let account = account.clone();
            Box::pin(async move { create(session, &account).await })
        });
        Ok(outcome.await?)
    }

    async fn account_by_name(&self, key: &str) -> Result<Option<Account>, StoreError> {
        if !is_storable(key) {
            return Ok(None);
        }
        let row = self.primary.row(sql(BY_NAME).bind(key)).await?;
        Ok(read_optional(row.as_ref(), read_account)?)
    }

    async fn account(&self, user: &UserId) -> Result<Option<Account>, StoreError> {
        let row = self.primary.row(sql(BY_ID).bind(user.as_str())).await?;
        Ok(read_optional(row.as_ref(), read_account)?)
    }

    async fn set_password(
        &self,
        user: &UserId,
        password_hash: SecretString,
    ) -> Result<bool, StoreError> {
        let user = user.clone();
        let outcome = self.primary.write(Repeat::Harmful, move |session| {
            let update = sql("UPDATE chat_account SET password_hash = $2 WHERE user_id = $1")
                .bind(user.as_str())
                .bind(password_hash.expose_secret());
            Box::pin(async move { Ok(session.execute(update).await? > 0) })
        });
        Ok(outcome.await?)
    }
}

async fn create(session: &mut Session, account: &NewAccount) -> Result<CreateAccount, Failure> {
    let user = match insert_user(session, &account.user).await? {
        EnsureUser::Created(user) => user,
        EnsureUser::UsernameTaken => return Ok(CreateAccount::UsernameTaken),
        EnsureUser::DisplayNameTaken => return Ok(CreateAccount::DisplayNameTaken),
        EnsureUser::Existing(_) => return Err(Failure::Refused("there is a user with this id")),
    };
    let insert = sql("INSERT INTO chat_account (user_id, password_hash) VALUES ($1, $2)")
        .bind(user.id.as_str())
        .bind(account.password_hash.expose_secret());
    session.execute(insert).await?;
    Ok(CreateAccount::Created(user))
}
