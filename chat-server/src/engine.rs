use std::sync::Arc;
use std::time::Duration;

use chat_auth::{
    HmacKey, InvalidAccountsConfig, InvalidJwtConfig, JwtAuthenticator, JwtConfig, JwtIssuer,
    PasswordAccounts, PasswordAccountsConfig, ThrottleConfig, WeakKey,
};
use chat_cluster::ConnectError;
use chat_core::auth::{AnyOf, Authenticator};
use chat_core::breaker::{Breaker, BreakerConfig};
use chat_core::cache::CacheConfig;
use chat_core::{Chat, ChatConfig};
use chat_store::OpenError;
use secrecy::ExposeSecret;
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::config::Config;
use crate::{DataError, DataFolder, Database, DatabaseError, database};

/// How long the engine may take to stop: to finish what was submitted and to take leave of the others.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the database and the broker may then take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The chat engine together with what it stands on: the data folder, the store, accounts and
/// tokens. Everything but the network.
#[derive(Debug)]
pub struct Engine {
    /// The engine.
    pub chat: Chat,
    /// Accounts of the server's own.
    pub accounts: Arc<PasswordAccounts>,
    /// Who knows whose token is whose: the accounts, then the host's tokens, and in development
    /// the tokens for the asking.
    pub authenticator: Arc<dyn Authenticator>,
    /// Signs tokens for the asking, in development only.
    pub development_issuer: Option<Arc<JwtIssuer>>,
    /// The database.
    pub database: Database,
    /// Where the other servers are heard and told, if there may be others.
    cluster: Option<Cluster>,
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
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The broker cannot be used.
    #[error("the cluster cannot be joined (cluster.url)")]
    Cluster(#[from] ConnectError),
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

impl From<OpenError> for EngineError {
    fn from(error: OpenError) -> Self {
        Self::Database(error.into())
    }
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
        let configured = configured_key(config)?;
        // Before it is opened: should that fail or take long, it is known what is tried.
        let (kind, place) = database::place(config);
        tracing::info!(%kind, place, "the database");
        let database = Database::open(config).await?;
        database.migrate().await?;
        // Not before there is a database: who finds it beside an empty one knows that something is lost.
        let key = match configured {
            Some(key) => key,
            None => own_key(&folder)?,
        };
        let cluster = Cluster::connect(&config.cluster).await?;
        let breaker = Breaker::new(breaker_config(config));
        let kept = Arc::new(breaker.guard_accounts(database.accounts(), database.logins()));
        let accounts = PasswordAccounts::new(kept.clone(), kept.clone(), &accounts_config(config))?;
        let accounts = Arc::new(accounts.with_device_key(&key));
        let jwt = JwtAuthenticator::hs256(
            &key,
            JwtConfig {
                issuer: config.jwt.issuer.clone(),
                audience: config.jwt.audience.clone(),
                ..JwtConfig::default()
            },
        )?;
        let mut authenticators: Vec<Arc<dyn Authenticator>> = vec![accounts.clone(), Arc::new(jwt)];
        let mut development_issuer = None;
        if config.dev {
            let key = development_key(config, &folder)?;
            let jwt = JwtAuthenticator::hs256(&key, JwtConfig::default())?;
            authenticators.push(Arc::new(jwt));
            development_issuer = Some(Arc::new(JwtIssuer::hs256(&key, None, None)));
        }
        let builder = Chat::builder(Arc::new(breaker.guard(database.store())))
            .config(chat_config(config))
            .logins(kept);
        let builder = match &cluster {
            Some(cluster) => cluster.join(builder),
            None => builder,
        };
        let builder = match cache_config(config) {
            Some(cache) => builder.cache(cache),
            None => builder.uncached(),
        };
        let chat = builder.build();
        Ok(Self {
            chat,
            accounts,
            authenticator: Arc::new(AnyOf::new(authenticators)),
            development_issuer,
            database,
            cluster,
            _folder: folder,
        })
    }

    /// Stops the engine's tasks once what was submitted is stored, and closes the store. Gives up the
    /// one after ten seconds and the other after five, so that neither a broker nor a disk that hangs
    /// keeps the process: what was acknowledged is stored by then.
    pub async fn close(self) {
        if self.cluster.is_some() {
            Cluster::log(&self.chat.cluster_stats());
        }
        for (kind, count) in self.chat.cache_stats().into_iter().flat_map(|stats| stats.kinds()) {
            if count.hits + count.misses > 0 {
                tracing::info!(kind, hits = count.hits, misses = count.misses, "cache");
            }
        }
        // Its last words go over the broker, and say that its users are leaving.
        in_time("engine", STOP_TIMEOUT, self.chat.shutdown()).await;
        let broker = async {
            if let Some(cluster) = &self.cluster {
                in_time("broker", CLOSE_TIMEOUT, cluster.close()).await;
            }
        };
        tokio::join!(broker, in_time("database", CLOSE_TIMEOUT, self.database.close()));
    }
}

async fn in_time(part: &str, limit: Duration, closing: impl Future<Output = ()>) {
    if timeout(limit, closing).await.is_err() {
        tracing::error!(
            part,
            waited = ?limit,
            "did not close in time and is left as after a crash"
        );
    }
}

/// The key that the host's tokens are signed with, when it is configured.
pub(crate) fn configured_key(config: &Config) -> Result<Option<HmacKey>, WeakKey> {
    let secret = config.jwt.secret.as_ref();
    secret.map(|secret| HmacKey::new(secret.expose_secret().as_bytes())).transpose()
}

/// The key that the host's tokens are signed with otherwise: the folder's own.
pub(crate) fn own_key(folder: &DataFolder) -> Result<HmacKey, EngineError> {
    Ok(HmacKey::new(folder.secret()?.expose_secret().as_bytes())?)
}

/// The key that tokens of development are signed with: another one than the host's, so that they are
/// worth nothing outside of development. Where the host's is configured it follows from that, so that
/// servers which share the one share the other.
fn development_key(config: &Config, folder: &DataFolder) -> Result<HmacKey, EngineError> {
    match configured_key(config)? {
        Some(key) => Ok(key.derived("tokens of development")),
        None => Ok(HmacKey::new(folder.development_secret()?.expose_secret().as_bytes())?),
    }
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
        // The breaker gives up first, and so knows.
        call_timeout_ms: config.store.call_timeout_ms.saturating_add(1_000),
        ..ChatConfig::default()
    }
}

fn breaker_config(config: &Config) -> BreakerConfig {
    BreakerConfig {
        timeout: Duration::from_millis(config.store.call_timeout_ms),
        failures: config.store.breaker_failures,
        ..BreakerConfig::default()
    }
}

fn cache_config(config: &Config) -> Option<CacheConfig> {
    config.store.cache.then(|| CacheConfig {
        staleness_ms: config.store.cache_staleness_ms,
        entries: config.store.cache_entries,
        warm: config.store.cache_warm,
        ..CacheConfig::default()
    })
}

fn accounts_config(config: &Config) -> PasswordAccountsConfig {
    let defaults = PasswordAccountsConfig::default();
    PasswordAccountsConfig {
        workers: config.accounts.login_workers.unwrap_or(defaults.workers),
        queue: config.accounts.login_queue,
        session_lifetime: Duration::from_secs(u64::from(config.accounts.session_days) * 86_400),
        throttle: ThrottleConfig {
            failures: config.accounts.login_failures,
            attempts_per_minute: config.accounts.logins_per_minute,
            ..ThrottleConfig::default()
        },
        ..defaults
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_does_not_close_is_given_up() {
        let began = Instant::now();
        in_time("database", CLOSE_TIMEOUT, std::future::pending()).await;
        assert_eq!(began.elapsed(), CLOSE_TIMEOUT);
    }
}
