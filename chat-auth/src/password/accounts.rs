use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chat_core::auth::{AccountError, Accounts, ClientDetails, Login, PasswordChange, Registration};
use chat_core::proto::{DisplayName, LoginSessionId, User, UserId, Username, fold};
use chat_core::store::{
    AccountStore, CreateAccount, LoginSession, LoginSessionStore, NewAccount, NewUser, StoreError,
    account_named,
};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::device::DeviceKey;
use super::hasher::{PasswordHasher, Place, Priority};
use super::throttle::{Allowance, Source, Throttle, Wait};
use super::token::SessionToken;
use super::{InvalidAccountsConfig, PasswordAccountsConfig, policy};
use crate::HmacKey;

/// Accounts with passwords, and their login sessions.
///
/// As [`Accounts`] it registers and logs in; as
/// [`Authenticator`](chat_core::auth::Authenticator) it recognises the tokens that it gave out.
/// Cheap to clone.
#[derive(Clone)]
pub struct PasswordAccounts {
    pub(super) accounts: Arc<dyn AccountStore>,
    pub(super) sessions: Arc<dyn LoginSessionStore>,
    hasher: PasswordHasher,
    throttle: Arc<Throttle>,
    devices: DeviceKey,
    session_lifetime: SignedDuration,
    sessions_per_user: usize,
}

/// How a request is counted.
struct Standing {
    source: Source,
    /// None where no account can be meant.
    allowance: Option<Allowance>,
    priority: Priority,
}

/// The longest life of a session, so that its end is always a date.
const MAX_SESSION_LIFETIME: SignedDuration = SignedDuration::from_hours(10 * 366 * 24);

/// How long a login may wait for others and for its own hash. With a full queue, the default cost and
/// one thread it takes some ten seconds.
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// The most characters of what a browser calls itself that are kept.
const USER_AGENT_CHARS: usize = 256;

impl PasswordAccounts {
    /// Accounts that are kept in these stores.
    ///
    /// # Errors
    ///
    /// [`InvalidAccountsConfig`].
    pub fn new(
        accounts: Arc<dyn AccountStore>,
        sessions: Arc<dyn LoginSessionStore>,
        config: &PasswordAccountsConfig,
    ) -> Result<Self, InvalidAccountsConfig> {
        let session_lifetime = SignedDuration::try_from(config.session_lifetime)
            .ok()
            .filter(|lifetime| *lifetime <= MAX_SESSION_LIFETIME)
            .ok_or(InvalidAccountsConfig::SessionLifetime)?;
        if config.sessions_per_user == 0 {
            return Err(InvalidAccountsConfig::Zero("sessions per user"));
        }
        Ok(Self {
            accounts,
            sessions,
            hasher: PasswordHasher::new(config.cost, config.workers, config.queue)?,
            throttle: Arc::new(Throttle::new(&config.throttle)),
            devices: DeviceKey::random().map_err(|_| InvalidAccountsConfig::Random)?,
            session_lifetime,
            sessions_per_user: config.sessions_per_user,
        })
    }

    /// Signs [device tokens](chat_core::auth::DeviceToken) with a key that follows from this one, so
    /// that devices are known to all servers with the same key, and after a restart. Without it, they
    /// are known to this one until it ends.
    #[must_use]
    pub fn with_device_key(mut self, key: &HmacKey) -> Self {
        self.devices = DeviceKey::new(key);
        self
    }

    /// Forgets sessions that have expired, and returns how many. Expired sessions are never
    /// accepted; this only frees their room, so once an hour is often enough.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn remove_expired_sessions(&self) -> Result<u64, StoreError> {
        self.sessions.remove_expired_login_sessions(Timestamp::now()).await
    }

    /// Gives an account another password without being told the one until now: for operators. All
    /// sessions of the user end, and their ids are returned; none when there is no such account.
    ///
    /// # Errors
    ///
    /// [`AccountError`], except for what concerns the password until now.
    pub async fn reset_password(
        &self,
        user: &UserId,
        new: &SecretString,
    ) -> Result<Option<Vec<LoginSessionId>>, AccountError> {
        let place = self.hasher.place(Priority::Known)?;
        let password_hash = place.hash(policy::accept(new)?).await?;
        if !self.accounts.set_password(user, password_hash).await? {
            return Ok(None);
        }
        Ok(Some(self.sessions.end_login_sessions(user, None).await?))
    }

    /// When a session ends that is used now.
    pub(super) fn session_end(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.session_lifetime).unwrap_or(Timestamp::MAX)
    }

    /// How a request of this client is counted, when it concerns this account.
    fn standing(&self, account: Option<&Arc<str>>, client: &ClientDetails) -> Standing {
        let source = client.address.map_or(Source::Unknown, Source::Address);
        let Some(account) = account else {
            return Standing { source, allowance: None, priority: Priority::Unknown };
        };
        let sent = client.device_token.as_ref();
        if let Some(device) = self.devices.recognise(sent, account, Timestamp::now()) {
            return Standing {
                source: Source::Device(device),
                allowance: Some(Allowance::Device(Arc::clone(account), device)),
                priority: Priority::Known,
            };
        }
        let known = client
            .address
            .and_then(|address| self.throttle.of_address(account, address, Instant::now()));
        Standing {
            source,
            priority: if known.is_some() { Priority::Known } else { Priority::Unknown },
            allowance: known.or_else(|| Some(Allowance::Anybody(Arc::clone(account)))),
        }
    }

    /// Checks the password of an account; the hash that it was found good against is returned.
    ///
    /// Without an account it takes as long, is counted alike, and is refused alike.
    async fn check(
        &self,
        place: &Place,
        allowance: Allowance,
        password: &SecretString,
        hash: Option<SecretString>,
    ) -> Result<SecretString, AccountError> {
        let checking = async {
            let attempt = self.throttle.begin(allowance).await?;
            let is_right = place.verify(policy::normalize(password), hash.clone()).await?;
            if is_right {
                attempt.succeeded()
            } else {
                attempt.failed()
            }
            Ok::<_, AccountError>(hash.filter(|_| is_right))
        };
        match timeout(CHECK_TIMEOUT, checking).await {
            Ok(checked) => checked?.ok_or(AccountError::InvalidCredentials),
            Err(_) => Err(AccountError::Busy),
        }
    }

    /// Opens a session for a user, however many there are, and remembers from where.
    async fn open_session(&self, user: User, client: ClientDetails) -> Result<Login, AccountError> {
        let token = SessionToken::generate().map_err(StoreError::failed)?;
        let now = now();
        let account: Arc<str> = user.username.key().into();
        let device = self.devices.issue(client.device_token.as_ref(), &account, now);
        let device = Some(device.map_err(StoreError::failed)?);
        let session = LoginSession {
            id: LoginSessionId::generate(),
            user_id: user.id.clone(),
            token_hash: token.hash(),
            user_agent: client
                .user_agent
                .map(|agent| agent.chars().take(USER_AGENT_CHARS).collect()),
            created_at: now,
            last_used_at: now,
            expires_at: self.session_end(now),
        };
        let ended = self.sessions.insert_login_session(session.clone(), usize::MAX).await?;
        if let Some(address) = client.address {
            self.throttle.remember(&account, address, Instant::now());
        }
        Ok(Login { user, token: token.into_secret(), session, device, ended })
    }

    /// Ends the least recently used sessions of a user who has more than allowed, and tells which.
    ///
    /// This comes after the last reason to refuse a login: a refusal has no way to tell which
    /// sessions ended for it, and their connections would live on.
    async fn end_surplus(&self, mut login: Login) -> Result<Login, StoreError> {
        let user = &login.user.id;
        let mut others = self.sessions.login_sessions(user).await?;
        others.retain(|session| session.id != login.session.id);
        for session in others.iter().skip(self.sessions_per_user - 1) {
            if self.sessions.end_login_session(user, session.id).await? {
                login.ended.push(session.id);
            }
        }
        Ok(login)
    }

    /// Whether the user's password is still the one that was checked. A login that was checked
    /// before a change of the password must not outlive the change.
    async fn is_current(&self, user: &UserId, hash: &SecretString) -> Result<bool, StoreError> {
        let account = self.accounts.account(user).await?;
        Ok(account
            .is_some_and(|account| account.password_hash.expose_secret() == hash.expose_secret()))
    }
}

#[async_trait]
impl Accounts for PasswordAccounts {
    async fn register(
        &self,
        registration: Registration,
        client: ClientDetails,
    ) -> Result<Login, AccountError> {
        let password = policy::accept(&registration.password)?;
        let standing = self.standing(None, &client);
        let place = self.hasher.place(standing.priority)?;
        self.throttle.admit(&standing.source, Instant::now())?;
        let password_hash = place.hash(password).await?;
        drop(place);
        let Registration { username, display_name, .. } = registration;
        let user = NewUser {
            id: UserId::generate(),
            display_name: display_name.unwrap_or_else(|| DisplayName::from(&username)),
            username,
            created_at: now(),
        };
        match self.accounts.create_account(NewAccount { user, password_hash }).await? {
            CreateAccount::Created(user) => self.open_session(user, client).await,
            CreateAccount::UsernameTaken => Err(AccountError::UsernameTaken),
            CreateAccount::DisplayNameTaken => Err(AccountError::DisplayNameTaken),
        }
    }

    async fn login(
        &self,
        username: String,
        password: SecretString,
        client: ClientDetails,
    ) -> Result<Login, AccountError> {
        let sought = Username::sought(&username).ok();
        let key = sought.as_ref().map(|name| Arc::from(name.key()));
        let standing = self.standing(key.as_ref(), &client);
        let place = self.hasher.place(standing.priority)?;
        self.throttle.admit(&standing.source, Instant::now())?;
        let (Some(username), Some(allowance)) = (sought, standing.allowance) else {
            // No account has such a name; only the cost is the same.
            place.verify(policy::normalize(&password), None).await?;
            return Err(AccountError::InvalidCredentials);
        };
        let account = account_named(&*self.accounts, &username).await?;
        let hash = account.as_ref().map(|account| account.password_hash.clone());
        let hash = self.check(&place, allowance, &password, hash).await?;
        drop(place);
        let user = account.ok_or(AccountError::InvalidCredentials)?.user;
        let login = self.open_session(user, client).await?;
        if !self.is_current(&login.user.id, &hash).await? {
            self.sessions.end_login_session(&login.user.id, login.session.id).await?;
            return Err(AccountError::InvalidCredentials);
        }
        Ok(self.end_surplus(login).await?)
    }

    async fn change_password(
        &self,
        change: PasswordChange,
        client: ClientDetails,
    ) -> Result<Login, AccountError> {
        let new = policy::accept(&change.new)?;
        let account = self.accounts.account(&change.user).await?;
        let key: Arc<str> = account
            .as_ref()
            .map_or_else(|| fold(change.user.as_str()), |account| account.user.username.key())
            .into();
        let source = self.standing(Some(&key), &client).source;
        let place = self.hasher.place(Priority::Known)?;
        self.throttle.admit(&source, Instant::now())?;
        let hash = account.as_ref().map(|account| account.password_hash.clone());
        self.check(&place, Allowance::LoggedIn(key), &change.current, hash).await?;
        let user = account.ok_or(AccountError::InvalidCredentials)?.user;
        let password_hash = place.hash(new).await?;
        drop(place);
        if !self.accounts.set_password(&user.id, password_hash).await? {
            return Err(AccountError::InvalidCredentials);
        }
        let mut ended = self.sessions.end_login_sessions(&user.id, None).await?;
        let mut login = self.open_session(user, client).await?;
        ended.append(&mut login.ended);
        Ok(Login { ended, ..login })
    }

    async fn sessions(&self, user: &UserId) -> Result<Vec<LoginSession>, AccountError> {
        let now = Timestamp::now();
        let mut sessions = self.sessions.login_sessions(user).await?;
        sessions.retain(|session| session.expires_at > now);
        Ok(sessions)
    }

    async fn end_session(&self, user: &UserId, id: LoginSessionId) -> Result<bool, AccountError> {
        Ok(self.sessions.end_login_session(user, id).await?)
    }

    async fn end_sessions(
        &self,
        user: &UserId,
        except: Option<LoginSessionId>,
    ) -> Result<Vec<LoginSessionId>, AccountError> {
        Ok(self.sessions.end_login_sessions(user, except).await?)
    }
}

/// The time, as exactly as stores keep it, so that what is told at once is what is told later.
pub(super) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

impl From<Wait> for AccountError {
    fn from(Wait(retry_after): Wait) -> Self {
        Self::RateLimited { retry_after }
    }
}

impl fmt::Debug for PasswordAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordAccounts").field("hasher", &self.hasher).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "accounts_tests.rs"]
mod tests;
