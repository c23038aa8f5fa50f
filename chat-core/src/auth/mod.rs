//! Who connects: the traits by which the engine and its transports learn a user's identity.

mod accounts;
mod authenticator;
mod request;

pub use accounts::{AccountError, Accounts, ClientDetails, Login, PasswordChange, Registration};
pub use authenticator::{AnyOf, AuthError, Authenticator, Identity, UserClaims};
pub use request::{
    OriginPolicy, PLAIN_SESSION_COOKIE, PeerAddress, SECURE_SESSION_COOKIE, bearer_token,
    cookie_value, requested_host, single_value,
};

#[cfg(feature = "testing")]
pub use self::{accounts::MockAccounts, authenticator::MockAuthenticator};
