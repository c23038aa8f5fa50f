//! Who connects: the traits by which the engine and its transports learn a user's identity.

mod accounts;
mod authenticator;
mod request;

pub use accounts::{
    AccountError, Accounts, ClientDetails, DeviceToken, Login, PasswordChange, Registration,
};
pub use authenticator::{AnyOf, AuthError, Authenticator, Identity, UserClaims};
pub use request::{
    OriginPolicy, PLAIN_DEVICE_COOKIE, PLAIN_SESSION_COOKIE, PeerAddress, SECURE_DEVICE_COOKIE,
    SECURE_SESSION_COOKIE, bearer_token, cookie_value, requested_host, single_value,
};

#[cfg(feature = "testing")]
pub use self::{accounts::MockAccounts, authenticator::MockAuthenticator};
