#![doc = include_str!("../README.md")]

mod jwt;
mod password;

pub use jwt::{
    HmacKey, InvalidJwtConfig, IssueError, JwtAuthenticator, JwtConfig, JwtIssuer, TokenSubject,
    WeakKey,
};
pub use password::{
    HashCost, InvalidAccountsConfig, PasswordAccounts, PasswordAccountsConfig,
    SESSION_TOKEN_PREFIX, ThrottleConfig,
};
