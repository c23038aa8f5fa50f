//! What the URL of a database says.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use super::server::timeouts;
use super::{PostgresConfig, PostgresStore};
use crate::failure::cause;
use crate::{OpenError, statement_log};

/// How clients are named in the server's list of sessions, unless the URL says otherwise.
const APPLICATION: &str = "chat";

/// The parameters that mean something. The driver passes over any other, and logs its value.
const PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
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
];

/// Why a URL is not understood. It shows no value, which may be a password.
#[derive(Debug, thiserror::Error)]
enum InvalidUrl {
    #[error("it does not begin with postgres://")]
    Scheme,
    #[error("there is no parameter {0:?}")]
    UnknownParameter(String),
    #[error("it has a parameter that is none")]
    Unnamed,
}

impl PostgresStore {
    /// Says whether a URL would be understood, without connecting.
    ///
    /// # Errors
    ///
    /// [`OpenError::Url`], which does not show the URL.
    pub fn check_url(url: &str) -> Result<(), OpenError> {
        parse(url).map(drop)
    }
}

/// How to connect.
pub(super) fn options(url: &str, config: &PostgresConfig) -> Result<PgConnectOptions, OpenError> {
    let options = statement_log::at_debug(parse(url)?);
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name(APPLICATION),
    };
    Ok(if config.transaction_pooler {
        // A pooler accepts only parameters that it can follow.
        options.statement_cache_capacity(0).extra_float_digits(None)
    } else {
        options.options(timeouts(config).map(|(name, time)| (name, time.as_millis())))
    })
}

/// Where it leads to: host and port, or a socket.
pub(super) fn place(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

fn parse(url: &str) -> Result<PgConnectOptions, OpenError> {
    let scheme = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    if !scheme {
        return Err(OpenError::Url(InvalidUrl::Scheme.into()));
    }
    let parsed =
        |url| PgConnectOptions::from_str(url).map_err(|error| OpenError::Url(cause(error)));
    let whole = url.split_once('#').map_or(url, |(url, _)| url);
    let Some((place, parameters)) = whole.split_once('?') else { return parsed(url) };
    // First without them: what is taken for parameters may be the rest of a password.
    parsed(place)?;
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        check_parameter(parameter).map_err(|invalid| OpenError::Url(invalid.into()))?;
    }
    parsed(url)
}

fn check_parameter(parameter: &str) -> Result<(), InvalidUrl> {
    let Some((name, _value)) = parameter.split_once('=') else { return Err(InvalidUrl::Unnamed) };
    let is_setting = ["options[", "options%5B", "options%5b"].iter().any(|p| name.starts_with(p));
    if PARAMETERS.contains(&name) || is_setting {
        return Ok(());
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(InvalidUrl::Unnamed);
    }
    Err(InvalidUrl::UnknownParameter(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    fn refusal(url: &str) -> String {
        let error = PostgresStore::check_url(url).expect_err(url);
        error.source().map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn parameters_that_mean_nothing_are_refused_by_name_alone() {
        let refusal = refusal("postgres://chat@db/chat?sslmode=require&passwd=s3cret");
        assert_eq!(refusal, "there is no parameter \"passwd\"");
        for parameters in ["s3cret", "=s3cret", "s3cret@db/chat=1"] {
            let refusal = self::refusal(&format!("postgres://chat@db/chat?{parameters}"));
            assert!(!refusal.contains("s3cret"), "{refusal}");
        }
    }

    #[test]
    fn parameters_that_mean_something_are_taken() {
        for url in [
            "postgres://chat@db/chat",
            "postgresql://db/chat?",
            "postgres://db/chat?user=chat&password=s3cret&application_name=a&port=6432",
            "postgres://%2Fvar%2Frun%2Fpostgresql/chat?options[search_path]=a&options=-c%20b%3D1",
        ] {
            PostgresStore::check_url(url).unwrap();
        }
    }

    #[test]
    fn what_the_driver_refuses_is_refused() {
        for url in [
            "postgres://chat:s3cret@db:port/chat",
            "postgres://chat:s3cret@db:99999/chat",
            "postgres://chat:s3cret@db/chat?port=maybe",
            "postgres://chat:s3cret@db/chat?sslmode=maybe",
        ] {
            let refusal = refusal(url);
            assert!(!refusal.is_empty() && !refusal.contains("s3cret"), "{url}: {refusal}");
        }
    }
}
