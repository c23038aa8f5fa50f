use std::error::Error;
use std::io;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::time::timeout;

use super::cluster::check_replica;
use super::error::state;
use super::migration::refuse_newer;
use super::replica::Replica;
use super::server::{Losses, Server};
use super::url::{options, place};
use super::{CLOSE_TIMEOUT, PostgresConfig, PostgresStore};
use crate::OpenError;
use crate::failure::{Failure, cause};

/// A connection that was in use so lately is taken to be well.
const FRESH: Duration = Duration::from_secs(1);
/// How long a connection that nobody needs is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// How long a replica may take to find a connection, before the primary is asked instead.
const REPLICA_TIMEOUT: Duration = Duration::from_millis(500);

impl PostgresStore {
    /// Opens a database by its URL, such as `postgres://user:password@host:5432/database`.
    ///
    /// The URL may ask for encryption: `?sslmode=verify-full&sslrootcert=ca.pem` accepts only the
    /// server whose certificate has that name and was signed by that authority. What the URL leaves
    /// out comes from the usual variables of the environment (`PGUSER`, `PGPASSWORD` …). A parameter
    /// that means nothing is refused.
    ///
    /// The tables are made by [`migrate`](Self::migrate).
    ///
    /// # Errors
    ///
    /// Each reason is a variant of [`OpenError`] of its own, in words for whoever runs the server.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        Self::open_with(url, PostgresConfig::default()).await
    }

    /// Opens a database with settings. See [`open`](Self::open).
    ///
    /// A replica that does not answer is no error: it is asked again from time to time.
    ///
    /// # Errors
    ///
    /// As of [`open`](Self::open), and [`OpenError::Settings`], [`OpenError::Replica`] and
    /// [`OpenError::AnotherCluster`].
    pub async fn open_with(url: &str, config: PostgresConfig) -> Result<Self, OpenError> {
        if config.max_connections == 0 {
            return Err(OpenError::Settings("a database needs at least one connection"));
        }
        if config.min_connections > config.max_connections {
            return Err(OpenError::Settings("the least connections are more than the most"));
        }
        let options = options(url, &config)?;
        let replica = config.replica_url.as_deref().map(|url| self::options(url, &config));
        let replica = replica.transpose().map_err(OpenError::replica)?;

        let mut connection = connect(&options, config.acquire_timeout).await?;
        if let Some(replica) = &replica {
            check_replica((&options, &mut connection), replica, config.acquire_timeout).await?;
        }
        // It has served its purpose, and if the farewell is lost the server will notice.
        drop(timeout(CLOSE_TIMEOUT, connection.close()).await);

        let replica = replica.map(|options| {
            let reading = PostgresConfig {
                min_connections: 0,
                acquire_timeout: config.acquire_timeout.min(REPLICA_TIMEOUT),
                ..config.clone()
            };
            Replica::new(server(options, &reading), config.acquire_timeout)
        });
        let primary = server(options, &config);
        refuse_newer(&primary).await?;
        Ok(Self { primary, replica })
    }

    /// Shares the pool, and so the database, of a host.
    ///
    /// How connections are made and when they are tested is the host's to choose; what a
    /// transaction needs is set in it.
    #[must_use]
    pub fn from_pool(pool: PgPool) -> Self {
        Self::from_pool_with(pool, &PostgresConfig::default())
    }

    /// Shares the pool of a host, with the settings that are not about the pool: the timeouts of
    /// statements, and whether there is a pooler in between.
    #[must_use]
    pub fn from_pool_with(pool: PgPool, config: &PostgresConfig) -> Self {
        Self { primary: Server::new(pool, config, false, Losses::default()), replica: None }
    }
}

fn server(options: PgConnectOptions, config: &PostgresConfig) -> Server {
    let losses = Losses::default();
    let pool = PgPoolOptions::new()
        .max_connections(config.max_connections)
        .min_connections(config.min_connections)
        .acquire_timeout(config.acquire_timeout)
        .idle_timeout(IDLE_TIMEOUT)
        .max_lifetime(config.max_lifetime)
        .test_before_acquire(false)
        .before_acquire({
            let losses = losses.clone();
            move |connection, known| {
                let test = known.idle_for > FRESH || losses.are_recent();
                Box::pin(async move { if test { answers(connection).await } else { Ok(true) } })
            }
        })
        .connect_lazy_with(options);
    Server::new(pool, config, !config.transaction_pooler, losses)
}

async fn answers(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let silent = |_| sqlx::Error::Io(io::ErrorKind::TimedOut.into());
    timeout(CLOSE_TIMEOUT, connection.ping()).await.map_err(silent)??;
    Ok(true)
}

/// The first connection, for its error: a pool only says that it has none.
pub(super) async fn connect(
    options: &PgConnectOptions,
    time: Duration,
) -> Result<PgConnection, OpenError> {
    let silent = |_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into()));
    let connected = timeout(time, options.connect()).await.unwrap_or_else(silent);
    connected.map_err(|error| open_error(options, error))
}

fn open_error(options: &PgConnectOptions, error: sqlx::Error) -> OpenError {
    let server = place(options);
    let code = state(&error).map(str::to_owned);
    match (&error, code.as_deref()) {
        (sqlx::Error::Tls(_), _) => OpenError::Tls { server, source: cause(error) },
        // So the driver tells of a handshake that fails, and of a certificate that is not there.
        (sqlx::Error::Io(io), _)
            if matches!(io.kind(), io::ErrorKind::InvalidData)
                || io.kind() == io::ErrorKind::NotFound && options.get_socket().is_none() =>
        {
            OpenError::Tls { server, source: cause(error) }
        }
        (sqlx::Error::Io(_), _) => OpenError::Unreachable { server, source: cause(error) },
        (_, Some("28P01" | "28000")) => {
            let user = options.get_username().to_owned();
            OpenError::AccessDenied { server, user, source: cause(error) }
        }
        (_, Some("3D000")) => {
            let database = options.get_database().unwrap_or(options.get_username()).to_owned();
            OpenError::NoSuchDatabase { server, database, source: cause(error) }
        }
        // Postgres understands all that is sent when connecting.
        (_, Some("08P01")) if error.to_string().contains("startup parameter") => {
            OpenError::Pooler { server, source: cause(error) }
        }
        _ => OpenError::Unreadable(cause(error)),
    }
}

/// What it means that one of the first statements failed. That a statement was prepared by somebody
/// else, or is not there a moment later, happens only where sessions are not one's own.
pub(super) fn statement_error(
    server: &Server,
    failure: Failure,
    otherwise: impl FnOnce(Box<dyn Error + Send + Sync>) -> OpenError,
) -> OpenError {
    if failure.is_of_foreign_session() {
        OpenError::Pooler { server: server.place(), source: failure.into_cause() }
    } else {
        otherwise(failure.into_cause())
    }
}
