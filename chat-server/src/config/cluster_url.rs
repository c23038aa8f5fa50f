use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::secret::REDACTED;

/// Where a broker is: `nats://user:password@host:4222`, or `redis://user:password@host:6379`; with
/// TLS, `tls://…` or `rediss://…`.
///
/// What stands before the host is shown neither in logs nor when the configuration is printed, but
/// for a user's name that has a password behind it: a word by itself may be a token.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct ClusterUrl {
    broker: BrokerKind,
    url: SecretString,
}

/// The brokers that servers can speak through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerKind {
    /// NATS, with JetStream.
    Nats,
    /// Redis, or a Redis Cluster.
    Redis,
}

impl fmt::Display for BrokerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nats => "nats",
            Self::Redis => "redis",
        })
    }
}

/// Why a text is not the URL of a broker. It never shows the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidClusterUrl {
    /// It is of no broker that can be used.
    #[error(
        "it must begin with nats://, tls://, redis:// or rediss:// (a comma divides two URLs; one in \
         a password is written %2C)"
    )]
    Unknown,
    /// What is meant as a password would be read as a host and a path.
    #[error(
        "in a password, / is written %2F, ? is written %3F, # is written %23, and @ is written %40"
    )]
    Unescaped,
    /// It names no host.
    #[error("a host is needed, such as nats://broker.example.org:4222")]
    Host,
    /// The port is not one.
    #[error("the port behind the host must be a number from 1 to 65535")]
    Port,
}

/// A URL and its parts.
struct Parts<'a> {
    scheme: &'a str,
    /// Name and password, without the `@` behind them.
    credentials: Option<&'a str>,
    /// Host and port.
    place: &'a str,
    /// What follows, with the character that divides it off.
    rest: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, authority),
        };
        Some(Self { scheme, credentials, place, rest })
    }
}

impl ClusterUrl {
    /// Which broker it is of.
    #[must_use]
    pub const fn broker(&self) -> BrokerKind {
        self.broker
    }

    /// The URL, with its password.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.url.expose_secret()
    }
}

impl TryFrom<String> for ClusterUrl {
    type Error = InvalidClusterUrl;

    fn try_from(url: String) -> Result<Self, InvalidClusterUrl> {
        let parts = Parts::of(&url).ok_or(InvalidClusterUrl::Unknown)?;
        let broker = match parts.scheme {
            "nats" | "tls" => BrokerKind::Nats,
            "redis" | "rediss" => BrokerKind::Redis,
            _ => return Err(InvalidClusterUrl::Unknown),
        };
        if parts.rest.contains('@') || parts.credentials.is_some_and(|word| word.contains('@')) {
            return Err(InvalidClusterUrl::Unescaped);
        }
        // An IPv6 address has colons, too, and stands in brackets.
        let (host, port) = match parts.place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (parts.place, None),
        };
        if host.is_empty() {
            return Err(InvalidClusterUrl::Host);
        }
        if port.is_some_and(|port| !port.parse().is_ok_and(|port: u16| port > 0)) {
            return Err(InvalidClusterUrl::Port);
        }
        Ok(Self { broker, url: url.into() })
    }
}

/// Without passwords and tokens.
impl fmt::Display for ClusterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parts) = Parts::of(self.expose()) else { return f.write_str(REDACTED) };
        write!(f, "{}://", parts.scheme)?;
        match parts.credentials.map(|credentials| credentials.split_once(':')) {
            Some(Some((user, _password))) => write!(f, "{user}:{REDACTED}@")?,
            Some(None) => write!(f, "{REDACTED}@")?,
            None => {}
        }
        let path = parts.rest.find(['?', '#']).unwrap_or(parts.rest.len());
        write!(f, "{}{}", parts.place, &parts.rest[..path])?;
        if path < parts.rest.len() {
            write!(f, "{}{REDACTED}", &parts.rest[path..=path])?;
        }
        Ok(())
    }
}

impl fmt::Debug for ClusterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterUrl({self})")
    }
}

impl Serialize for ClusterUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<ClusterUrl, InvalidClusterUrl> {
        ClusterUrl::try_from(url.to_owned())
    }

    #[test]
    fn a_url_says_which_broker() {
        for (url, broker) in [
            ("nats://localhost", BrokerKind::Nats),
            ("tls://chat:s3cret@nats.example.org:4222", BrokerKind::Nats),
            ("redis://:s3cret@127.0.0.1:6379/0", BrokerKind::Redis),
            ("rediss://[::1]:6379", BrokerKind::Redis),
            ("redis://[::1]", BrokerKind::Redis),
        ] {
            assert_eq!(parse(url).map(|url| url.broker()), Ok(broker), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_broker_is_refused() {
        for (url, refused) in [
            ("", InvalidClusterUrl::Unknown),
            ("localhost:4222", InvalidClusterUrl::Unknown),
            ("amqp://localhost", InvalidClusterUrl::Unknown),
            ("nats://", InvalidClusterUrl::Host),
            ("redis://chat:s3cret@:6379", InvalidClusterUrl::Host),
            ("nats://localhost:many", InvalidClusterUrl::Port),
            ("nats://localhost:0", InvalidClusterUrl::Port),
            ("nats://localhost:65536", InvalidClusterUrl::Port),
            ("nats://chat:s3/cret@localhost", InvalidClusterUrl::Unescaped),
            ("redis://:s3?cret@localhost", InvalidClusterUrl::Unescaped),
            ("redis://:s3@cret@localhost", InvalidClusterUrl::Unescaped),
        ] {
            assert_eq!(parse(url).unwrap_err(), refused, "{url}");
        }
    }

    #[test]
    fn neither_a_password_nor_a_token_is_shown() {
        for (url, shown) in [
            ("nats://chat:s3cret@a:4222", "nats://chat:[redacted]@a:4222"),
            ("nats://s3cret@a", "nats://[redacted]@a"),
            ("rediss://:s3cret@a:6379/1", "rediss://:[redacted]@a:6379/1"),
            ("redis://a/?password=s3cret", "redis://a/?[redacted]"),
            ("redis://a/#s3cret", "redis://a/#[redacted]"),
            ("tls://a:4222", "tls://a:4222"),
        ] {
            let url = parse(url).unwrap();
            assert_eq!(url.to_string(), shown);
            let seen = format!("{url:?}{}", serde_json::to_string(&url).unwrap());
            assert!(!seen.contains("cret"), "{seen}");
        }
    }
}
