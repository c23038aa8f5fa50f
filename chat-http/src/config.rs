use std::sync::Arc;

use chat_core::auth::{Accounts, Authenticator, OriginPolicy};

use crate::SessionCookie;

/// How the REST API behaves. Begin with [`HttpConfig::new`] and change what differs.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Who checks the tokens of requests, wherever they were found.
    pub authenticator: Arc<dyn Authenticator>,
    /// Accounts of the engine's own. None, the default, is for hosts that have users already:
    /// then every path under `/auth` but `/auth/me` is unknown.
    pub accounts: Option<Arc<dyn Accounts>>,
    /// Which web pages may act with a user's cookie. Default: those of the server's own origin,
    /// which is `https` unless the server is reached at a loopback address.
    pub origins: OriginPolicy,
    /// How the session cookie is written and read. Default: over TLS only.
    pub session_cookie: SessionCookie,
    /// Whether anybody may make an account. Default true; when false, `/auth/register` is unknown.
    pub registration: bool,
    /// The most bytes of a request's JSON body. Default 64 KiB; a larger body is answered 413
    /// before it is read.
    pub json_body_bytes: usize,
}

impl HttpConfig {
    /// The defaults: no accounts, cookies over TLS only, pages of the same origin only.
    #[must_use]
    pub fn new(authenticator: Arc<dyn Authenticator>) -> Self {
        Self {
            authenticator,
            accounts: None,
            origins: OriginPolicy::default().https_only(true),
            session_cookie: SessionCookie::default(),
            registration: true,
            json_body_bytes: 64 * 1024,
        }
    }
}
