use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::secret::REDACTED;

/// Which database to use: `postgres://user:password@host/database`, or `sqlite://path/to/chat.db`.
///
/// A password in it is shown neither in logs nor when the configuration is printed.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl {
    kind: DatabaseKind,
    url: SecretString,
}

/// The databases that a server can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A file of the server's own.
    Sqlite,
    /// A database server, which several chat servers may share.
    Postgres,
}

/// The text is not the URL of a database that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must begin with postgres:// or sqlite://")]
pub struct UnknownDatabase;

impl DatabaseUrl {
    /// Which database it is of.
    #[must_use]
    pub const fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// The URL, with its password.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.url.expose_secret()
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = UnknownDatabase;

    fn try_from(url: String) -> Result<Self, UnknownDatabase> {
        let kind = match url.split_once(':') {
            Some(("sqlite", _)) => DatabaseKind::Sqlite,
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                DatabaseKind::Postgres
            }
            _ => return Err(UnknownDatabase),
        };
        Ok(Self { kind, url: url.into() })
    }
}

/// Without the password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, parameters) = match self.expose().split_once('?') {
            Some((place, parameters)) => (place, Some(parameters)),
            None => (self.expose(), None),
        };
        // A password that was not escaped may hold an @ itself: the last one ends it.
        match place.split_once("://").and_then(|(scheme, rest)| {
            let (credentials, host) = rest.rsplit_once('@')?;
            let (user, _password) = credentials.split_once(':')?;
            Some((scheme, user, host))
        }) {
            Some((scheme, user, host)) => write!(f, "{scheme}://{user}:{REDACTED}@{host}")?,
            // A password that was not escaped may hold a question mark, too. What follows it is not
            // shown, whatever it is.
            None if parameters.is_some_and(|rest| rest.contains('@')) && !ends_in_port(place) => {
                return f.write_str(REDACTED);
            }
            None => f.write_str(place)?,
        }
        for (n, parameter) in parameters.into_iter().flat_map(|all| all.split('&')).enumerate() {
            f.write_str(if n == 0 { "?" } else { "&" })?;
            match parameter.split_once('=') {
                Some((name @ ("password" | "sslpassword"), _)) => write!(f, "{name}={REDACTED}")?,
                _ => f.write_str(parameter)?,
            }
        }
        Ok(())
    }
}

/// Whether what seems to be host and port can be that, and not a name and half a password.
fn ends_in_port(place: &str) -> bool {
    let authority = place.split_once("://").map_or(place, |(_, rest)| rest);
    let host = authority.split_once('/').map_or(authority, |(host, _)| host);
    host.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_ok())
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_which_database() {
        let kind = |url: &str| DatabaseUrl::try_from(url.to_owned()).map(|url| url.kind());
        assert_eq!(kind("postgres://localhost/chat"), Ok(DatabaseKind::Postgres));
        assert_eq!(kind("postgresql://localhost/chat"), Ok(DatabaseKind::Postgres));
        assert_eq!(kind("sqlite://data/chat.db"), Ok(DatabaseKind::Sqlite));
        assert_eq!(kind("sqlite:data/chat.db"), Ok(DatabaseKind::Sqlite));
        for url in ["", "chat.db", "mysql://localhost/chat", "postgres:chat"] {
            assert_eq!(kind(url), Err(UnknownDatabase), "{url}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://chat:s3cret@db:5432/chat", "postgres://chat:[redacted]@db:5432/chat"),
            ("postgres://chat:s3@cret@db/chat", "postgres://chat:[redacted]@db/chat"),
            ("postgres://chat@db/chat?sslmode=require", "postgres://chat@db/chat?sslmode=require"),
            (
                "postgres://db/chat?user=chat&password=s3cret",
                "postgres://db/chat?user=chat&password=[redacted]",
            ),
            ("postgres://chat:s3?cret@db/chat", "[redacted]"),
            (
                "postgres://db:5432/chat?user=a@b&password=s3cret",
                "postgres://db:5432/chat?user=a@b&password=[redacted]",
            ),
            ("sqlite://data/chat.db", "sqlite://data/chat.db"),
        ] {
            let url = DatabaseUrl::try_from(url.to_owned()).unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}{}", serde_json::to_string(&url).unwrap()).contains("cret"));
        }
    }
}
