//! Whether a replica is one.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, Row};
use tokio::time::timeout;

use super::CLOSE_TIMEOUT;
use super::open::connect;
use super::url::place;
use crate::OpenError;

/// How long a replica may take to answer when a store is opened.
const PATIENCE: Duration = Duration::from_secs(2);

/// Refuses a replica that has the data of somebody else, or that cannot be used as it is configured.
/// One that does not answer may come later, so it is only warned of.
pub(super) async fn check_replica(
    primary: (&PgConnectOptions, &mut PgConnection),
    replica: &PgConnectOptions,
    time: Duration,
) -> Result<(), OpenError> {
    let (options, primary) = primary;
    let mut connection = match connect(replica, time.min(PATIENCE)).await {
        Ok(connection) => connection,
        Err(
            error @ (OpenError::AccessDenied { .. }
            | OpenError::NoSuchDatabase { .. }
            | OpenError::Pooler { .. }
            | OpenError::Tls { .. }),
        ) => return Err(OpenError::replica(error)),
        Err(error) => {
            let replica = place(replica);
            tracing::warn!(replica, %error, "the replica does not answer: the primary is asked");
            return Ok(());
        }
    };
    let (leads, follows) = (identifier(primary).await, identifier(&mut connection).await);
    drop(timeout(CLOSE_TIMEOUT, connection.close()).await);
    match (leads, follows) {
        (Some(leads), Some(follows)) if leads != follows => {
            Err(OpenError::AnotherCluster { primary: place(options), replica: place(replica) })
        }
        _ => Ok(()),
    }
}

/// The number that a cluster gets when it is made, and that its replicas share. None where it may
/// not be asked for, as on some managed databases, or does not exist.
async fn identifier(connection: &mut PgConnection) -> Option<i64> {
    let question = "SELECT system_identifier FROM pg_catalog.pg_control_system()";
    let answer = sqlx::raw_sql(question).fetch_one(connection);
    timeout(PATIENCE, answer).await.ok()?.ok()?.try_get(0).ok()
}
