//! JSON Web Tokens (RFC 7519): tokens that a host signs for its users.

mod authenticator;
mod claims;
mod config;
mod issuer;
mod key;

pub use authenticator::JwtAuthenticator;
pub use config::{InvalidJwtConfig, JwtConfig};
pub use issuer::{IssueError, JwtIssuer, TokenSubject};
pub use key::{HmacKey, WeakKey};
