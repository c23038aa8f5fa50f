//! Accounts of the engine's own: passwords, and the login sessions that they open.

mod accounts;
mod authenticator;
mod config;
mod device;
mod hasher;
mod policy;
mod throttle;
mod token;

pub use accounts::PasswordAccounts;
pub use config::{HashCost, InvalidAccountsConfig, PasswordAccountsConfig};
pub use throttle::ThrottleConfig;
pub use token::SESSION_TOKEN_PREFIX;
