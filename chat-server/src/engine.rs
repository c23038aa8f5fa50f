use std::sync::Arc;
use std::time::Duration;

use chat_auth::{
    HmacKey, InvalidAccountsConfig, InvalidJwtConfig, JwtAuthenticator, JwtConfig, JwtIssuer,
    PasswordAccounts, PasswordAccountsConfig, ThrottleConfig, WeakKey,
};
use chat_core::auth::{AnyOf, Authenticator};
use chat_core::{Chat, ChatConfig};
use chat_store::{OpenError, SqliteStore};
use secrecy::ExposeSecret;

use crate::config::Config;
use crate::{DataError, DataFolder};

/// The chat engine together with what it stands on: the data folder, the store, accounts and
/// tokens. Everything but the network.
#[derive(Debug)]
pub struct Engine {
    /// The engine.
    pub chat: Chat,
    /// Accounts of the server's own.
    pub accounts: Arc<PasswordAccounts>,
    /// Who knows whose token is whose: the accounts, then the host's tokens.
    pub authenticator: Arc<dyn Authenticator>,
    /// Signs tokens as the host does.
    pub issuer: Arc<JwtIssuer>,
    /// The store.
    pub store: SqliteStore,
    /// Kept, so that no other process uses it.
    _folder: DataFolder,
}

/// Why an engine cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The database cannot be opened or migrated.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The secret cannot be used.
    #[error("the signing secret is refused")]
    Secret(#[from] WeakKey),
    /// The rules for tokens cannot be used.
    #[error("the configuration of tokens is refused")]
    Jwt(#[from] InvalidJwtConfig),
    /// The rules for accounts cannot be used.
    #[error("the configuration of accounts is refused")]
    Accounts(#[from] InvalidAccountsConfig),
}

impl Engine {
    /// Opens the data folder and everything in it, and starts the engine's tasks. Must be called
    /// inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`EngineError`].
    pub async fn open(config: &Config) -> Result<Self, EngineError> {
        let folder = DataFolder::open(&config.data)?;
        let key = signing_key(config, &folder)?;
        let store = SqliteStore::open(&folder.database_location()).await?;
        store.migrate().await?;
        let accounts = PasswordAccounts::new(
            Arc::new(store.clone()),
            Arc::new(store.clone()),
            &accounts_config(config),
        )?;
        let accounts = Arc::new(accounts);
        let jwt = JwtAuthenticator::hs256(
            &key,
            JwtConfig {
                issuer: config.jwt.issuer.clone(),
                audience: config.jwt.audience.clone(),
                ..JwtConfig::default()
            },
        )?;
        let authenticator = AnyOf::new(vec![accounts.clone(), Arc::new(jwt)]);
        let chat = Chat::builder(Arc::new(store.clone())).config(chat_config(config)).build();
        Ok(Self {
            chat,
            accounts,
            authenticator: Arc::new(authenticator),
            issuer: Arc::new(issuer(&key, config)),
            store,
            _folder: folder,
        })
    }

    /// Stops the engine's tasks once what was submitted is stored, and closes the store.
    pub async fn close(self) {
        self.chat.shutdown().await;
        self.store.close().await;
    }
}

/// The key that tokens are signed with: the configured secret, or the folder's own.
pub(crate) fn signing_key(config: &Config, folder: &DataFolder) -> Result<HmacKey, EngineError> {
    let secret = match &config.jwt.secret {
        Some(secret) => secret.clone(),
        None => folder.secret()?,
    };
    Ok(HmacKey::new(secret.expose_secret().as_bytes())?)
}

/// Who signs tokens as the host does.
pub(crate) fn issuer(key: &HmacKey, config: &Config) -> JwtIssuer {
    JwtIssuer::hs256(key, config.jwt.issuer.clone(), config.jwt.audience.clone())
}

pub(crate) fn chat_config(config: &Config) -> ChatConfig {
    ChatConfig {
        limits: config.limits,
        heartbeat: config.heartbeat,
        presence_scope: config.presence.scope,
        create_rooms_on_join: config.rooms.create_on_join,
        presence_grace_ms: config.presence.grace_ms,
        presence_lease_ms: config.presence.lease_ms,
        call_timeout_ms: config.store.call_timeout_ms,
        ..ChatConfig::default()
    }
}

fn accounts_config(config: &Config) -> PasswordAccountsConfig {
    PasswordAccountsConfig {
        queue: config.accounts.login_queue,
        session_lifetime: Duration::from_secs(u64::from(config.accounts.session_days) * 86_400),
        throttle: ThrottleConfig {
            failures: config.accounts.login_failures,
            attempts_per_minute: config.accounts.logins_per_minute,
            ..ThrottleConfig::default()
        },
        ..PasswordAccountsConfig::default()
    }
}
