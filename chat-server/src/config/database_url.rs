use std::error::Error;
use std::fmt;

use chat_store::{OpenError, PostgresStore};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::secret::REDACTED;

/// Which database to use: `postgres://user:password@host/database`, or `sqlite://path/to/chat.db`.
///
/// A password in it is shown neither in logs nor when the configuration is printed, nor is the value
/// of any parameter that is not known to be harmless.
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

impl fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// Why a text is not the URL of a database. It never shows the text, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDatabaseUrl {
    /// It is of no database that can be used.
    #[error("it must begin with postgres:// or sqlite://")]
    Unknown,
    /// What is meant as a password would be read as a host and a path.
    #[error("a / in a password is written %2F, a ? is written %3F, and a # is written %23")]
    Unescaped,
    /// A part of it, such as the port or a parameter, is not understood.
    #[error("{0}")]
    Malformed(String),
}

/// Parameters whose values may be seen, of either database.
const HARMLESS: [&str; 20] = [
    "application_name",
    "cache",
    "dbname",
    "host",
    "hostaddr",
    "immutable",
    "mode",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
    "vfs",
];

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
    type Error = InvalidDatabaseUrl;

    fn try_from(url: String) -> Result<Self, InvalidDatabaseUrl> {
        let kind = match url.split_once(':') {
            Some(("sqlite", _)) => DatabaseKind::Sqlite,
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                DatabaseKind::Postgres
            }
            _ => return Err(InvalidDatabaseUrl::Unknown),
        };
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let is_cut_short = authority.contains(':') && !authority.contains('@');
        let has_credentials = rest.split('=').next().is_some_and(|rest| rest.contains('@'));
        if kind == DatabaseKind::Postgres && is_cut_short && has_credentials {
            return Err(InvalidDatabaseUrl::Unescaped);
        }
        if kind == DatabaseKind::Postgres {
            PostgresStore::check_url(&url).map_err(|error| malformed(&error))?;
        }
        Ok(Self { kind, url: url.into() })
    }
}

/// What is wrong, which is the cause of what a store says.
fn malformed(error: &OpenError) -> InvalidDatabaseUrl {
    InvalidDatabaseUrl::Malformed(match error.source() {
        Some(cause) => format!("the database URL is not understood: {cause}"),
        None => error.to_string(),
    })
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
            None => f.write_str(place)?,
        }
        for (n, parameter) in parameters.into_iter().flat_map(|all| all.split('&')).enumerate() {
            f.write_str(if n == 0 { "?" } else { "&" })?;
            match parameter.split_once('=') {
                Some((name, _)) if HARMLESS.contains(&name) => f.write_str(parameter)?,
                Some((name, _)) => write!(f, "{name}={REDACTED}")?,
                None => f.write_str(REDACTED)?,
            }
        }
        Ok(())
    }
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
            assert_eq!(kind(url), Err(InvalidDatabaseUrl::Unknown), "{url}");
        }
    }

    #[test]
    fn a_password_that_would_be_read_as_a_host_is_refused() {
        for password in ["12/s3", "s3?cret", "#"] {
            let url = format!("postgres://chat:{password}@db/chat");
            let refused = DatabaseUrl::try_from(url).unwrap_err();
            assert_eq!(refused, InvalidDatabaseUrl::Unescaped, "{password}");
        }
        DatabaseUrl::try_from("postgres://db:5432/chat?user=a@b".to_owned()).unwrap();
    }

    #[test]
    fn what_is_not_understood_is_refused_without_its_value() {
        for (url, told) in [
            ("postgres://chat:s3cret@db:543210/chat", "port"),
            ("postgres://chat:s3cret@db/chat?passwd=s3cret", "\"passwd\""),
            ("postgres://chat@db/chat?sslmode=maybe", "maybe"),
        ] {
            let refused = DatabaseUrl::try_from(url.to_owned()).unwrap_err().to_string();
            assert!(refused.contains(told) && !refused.contains("cret"), "{url}: {refused}");
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
            (
                "postgres://db:5432/chat?user=a@b&password=s3cret",
                "postgres://db:5432/chat?user=a@b&password=[redacted]",
            ),
            (
                "postgres://db/chat?options[app.key]=s3cret&sslmode=require",
                "postgres://db/chat?options[app.key]=[redacted]&sslmode=require",
            ),
            ("sqlite://data/chat.db", "sqlite://data/chat.db"),
            (
                "sqlite://data/chat.db?mode=rwc&key=s3cret&s3cret",
                "sqlite://data/chat.db?mode=rwc&key=[redacted]&[redacted]",
            ),
        ] {
            let url = DatabaseUrl::try_from(url.to_owned()).unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}{}", serde_json::to_string(&url).unwrap()).contains("cret"));
        }
    }
}
