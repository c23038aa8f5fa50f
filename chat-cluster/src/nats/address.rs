use std::fmt;

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

use crate::{ClusterConfig, ConnectError};

/// What a URL should look like.
const EXAMPLE: &str = "nats://user:password@host:4222, or tls://host";

/// Where the servers are, and who asks.
#[derive(Clone)]
pub(super) struct Address {
    /// Without names and passwords: the client shows these in its log.
    servers: Vec<ServerAddr>,
    credentials: Credentials,
}

/// How a node shows who it is. The same for all servers, also for those that it hears of later.
#[derive(Clone)]
enum Credentials {
    None,
    Token(String),
    Password { user: String, password: String },
}

impl Address {
    /// Reads the URLs. Who asks is what the first URL says that says so: a user and a password, or
    /// a token in the place of the user.
    ///
    /// # Errors
    ///
    /// When there is no URL, or one cannot be understood.
    pub(super) fn read(config: &ClusterConfig) -> Result<Self, ConnectError> {
        if config.urls.is_empty() {
            return Err(ConnectError::NoUrl);
        }
        let mut address = Self { servers: Vec::new(), credentials: Credentials::None };
        for url in &config.urls {
            let server: ServerAddr = url.parse().map_err(misunderstood)?;
            if !matches!(server.scheme(), "nats" | "tls") || server.host().is_empty() {
                return Err(misunderstood("not a URL of NATS"));
            }
            if matches!(address.credentials, Credentials::None) {
                address.credentials = Credentials::of(&server)?;
            }
            let mut url = server.into_inner();
            let cleaned = url.set_username("").and_then(|()| url.set_password(None));
            cleaned.map_err(|()| misunderstood("not a URL of NATS"))?;
            address.servers.push(ServerAddr::from_url(url).map_err(misunderstood)?);
        }
        Ok(address)
    }

    /// Servers without passwords.
    pub(super) fn servers(&self) -> Vec<ServerAddr> {
        self.servers.clone()
    }

    /// Adds who asks.
    pub(super) fn authorize(&self, options: ConnectOptions) -> ConnectOptions {
        match self.credentials.clone() {
            Credentials::None => options,
            Credentials::Token(token) => options.token(token),
            Credentials::Password { user, password } => options.user_and_password(user, password),
        }
    }
}

/// Hosts and ports.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, server) in self.servers.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{}:{}", server.host(), server.port())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl Credentials {
    fn of(server: &ServerAddr) -> Result<Self, ConnectError> {
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8().map_err(misunderstood)?;
            Ok(text.into_owned())
        };
        Ok(match (server.username(), server.password()) {
            (None, None) => Self::None,
            (Some(token), None) => Self::Token(decoded(token)?),
            (user, Some(password)) => Self::Password {
                user: user.map(decoded).transpose()?.unwrap_or_default(),
                password: decoded(password)?,
            },
        })
    }
}

fn misunderstood(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ConnectError {
    ConnectError::Url { example: EXAMPLE, source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(urls: &[&str]) -> Result<Address, ConnectError> {
        Address::read(&ClusterConfig::new(urls.iter().copied()))
    }

    #[test]
    fn passwords_are_taken_out_of_urls() {
        let address = read(&["nats://ada:c%40nary@one:4223", "tls://two"]).unwrap();
        assert_eq!(address.to_string(), "one:4223, two:4222");
        assert!(!format!("{address:?} {:?}", address.servers()).contains("nary"));
        let Credentials::Password { user, password } = address.credentials else {
            panic!("there is a password");
        };
        assert_eq!((user.as_str(), password.as_str()), ("ada", "c@nary"));
        let token = read(&["nats://one", "nats://token@two"]).unwrap().credentials;
        assert!(matches!(token, Credentials::Token(token) if token == "token"));
    }

    #[test]
    fn what_is_no_url_is_refused_without_being_shown() {
        assert!(matches!(read(&[]), Err(ConnectError::NoUrl)));
        for url in
            ["http://canary@host", "nats://a:canary@host:port", "ws://canary@host", "nats://"]
        {
            let error = read(&[url]).unwrap_err();
            assert!(matches!(error, ConnectError::Url { .. }), "{error:?}");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }
}
