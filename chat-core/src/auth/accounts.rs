use std::fmt::Debug;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use chat_proto::{DisplayName, LoginSessionId, TextError, User, UserId, Username};
use jiff::Timestamp;
use secrecy::SecretString;

use crate::store::{LoginSession, StoreError};

/// Somebody who wants an account.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The unique name.
    pub username: Username,
    /// The password, as typed.
    pub password: SecretString,
    /// The name to show; the user name when left out.
    pub display_name: Option<DisplayName>,
}

/// Where a request to log in comes from.
#[derive(Debug, Clone, Default)]
pub struct ClientDetails {
    /// The address, for limits.
    pub address: Option<IpAddr>,
    /// The [`DeviceToken`] that the device got at its last login, for limits.
    pub device_token: Option<SecretString>,
    /// What the browser calls itself, for the user's list of sessions.
    pub user_agent: Option<String>,
}

/// What a device keeps to be known when it logs in the next time.
///
/// It is no credential: it opens nothing. Whoever sends it with a login to the same account has
/// failures of their own to make, so that strangers who guess passwords cannot keep the owner out.
/// Opaque to clients, and of printable ASCII without spaces, commas and semicolons, so that it may be
/// the value of a cookie.
#[derive(Debug, Clone)]
pub struct DeviceToken {
    /// The token, in place of the one that the device has had.
    pub token: SecretString,
    /// Until when the device is known, unless it logs in before.
    pub expires_at: Timestamp,
}

/// Somebody who has just logged in.
#[derive(Debug, Clone)]
pub struct Login {
    /// Who.
    pub user: User,
    /// The token of the new session: 256 random bits, shown this once and stored as a hash.
    pub token: SecretString,
    /// The session.
    pub session: LoginSession,
    /// What the device is to keep; none where accounts do not tell devices apart.
    pub device: Option<DeviceToken>,
    /// Older sessions that had to end for this one, so that their connections can be ended.
    pub ended: Vec<LoginSessionId>,
}

/// A user who wants another password.
#[derive(Debug, Clone)]
pub struct PasswordChange {
    /// Who.
    pub user: UserId,
    /// The password until now.
    pub current: SecretString,
    /// The password from now on.
    pub new: SecretString,
}

/// Why an account operation is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The user name or the password is wrong; which of the two is not told.
    #[error("the user name or the password is wrong")]
    InvalidCredentials,
    /// Another user has this name, or one that looks the same.
    #[error("this user name, or one that looks the same, is taken: choose another")]
    UsernameTaken,
    /// The name to show looks like the unique name of another user.
    #[error("this name to be shown looks like another user's name: choose another")]
    DisplayNameTaken,
    /// The password has fewer or more characters than allowed.
    #[error("a password has {min} to {max} characters, this one has {actual}")]
    PasswordLength {
        /// The fewest characters allowed.
        min: usize,
        /// The most characters allowed.
        max: usize,
        /// The characters given.
        actual: usize,
    },
    /// The user name cannot be accepted.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Too many tries.
    #[error("too many tries: wait {} seconds", retry_after.as_secs_f64().ceil().max(1.0))]
    RateLimited {
        /// When to try again.
        retry_after: Duration,
    },
    /// Too many passwords are being checked at this moment.
    #[error("too many logins at this moment: try again")]
    Busy,
    /// The store did not do its part.
    #[error("accounts are not available")]
    Store(#[from] StoreError),
}

/// Accounts of the engine's own: for teams whose users are nowhere else.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait Accounts: Debug + Send + Sync + 'static {
    /// Makes an account and logs in.
    async fn register(
        &self,
        registration: Registration,
        client: ClientDetails,
    ) -> Result<Login, AccountError>;

    /// Logs in. Unknown users cost the same time and get the same answer as wrong passwords.
    async fn login(
        &self,
        username: String,
        password: SecretString,
        client: ClientDetails,
    ) -> Result<Login, AccountError>;

    /// Changes the password. Every session of the user ends; the login returned is a new one.
    async fn change_password(
        &self,
        change: PasswordChange,
        client: ClientDetails,
    ) -> Result<Login, AccountError>;

    /// The user's sessions that have not expired, the most recently used first.
    async fn sessions(&self, user: &UserId) -> Result<Vec<LoginSession>, AccountError>;

    /// Ends one session of the user; false when the user has no such session.
    async fn end_session(&self, user: &UserId, id: LoginSessionId) -> Result<bool, AccountError>;

    /// Ends all sessions of the user but one, and returns the ids of those that ended.
    async fn end_sessions(
        &self,
        user: &UserId,
        except: Option<LoginSessionId>,
    ) -> Result<Vec<LoginSessionId>, AccountError>;
}
