use std::fmt;
use std::time::Duration;

/// How a [`PostgresStore`](crate::PostgresStore) uses its server.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresConfig {
    /// The most connections that are open at once: 16. Messages are stored by one of them at a
    /// time; the others serve reads, cursors and joins. All nodes together must stay below the
    /// server's `max_connections`.
    pub max_connections: u32,
    /// How many connections stay open when nothing happens: 1.
    pub min_connections: u32,
    /// How long a call waits for a connection, whether all are busy or the server does not answer;
    /// also how long after its beginning a call may still be tried again: 5 s.
    pub acquire_timeout: Duration,
    /// How long the server works on one statement before it gives up: 4 s, so that the reason is
    /// known before a breaker with its usual 5 s stops waiting. Two seconds later this
    /// side gives up the whole call and closes the connection, so that a server that is frozen or
    /// cut off holds nobody for longer.
    pub statement_timeout: Duration,
    /// How long a statement waits for a lock, such as for a conversation that another node is
    /// writing to: 2 s.
    pub lock_timeout: Duration,
    /// How long the server keeps a transaction in which nothing happens, because its node is gone
    /// without a word: 10 s.
    pub idle_in_transaction_timeout: Duration,
    /// How old a connection gets: 30 min. New ones find a server that has moved.
    pub max_lifetime: Duration,
    /// A server that follows the primary, as a URL. It is asked for what may be a little old or can
    /// be proven whole: pages of history, single messages, and searches for users. Everything else,
    /// and whatever it does not have, comes from the primary, as does all when it does not answer.
    pub replica_url: Option<String>,
    /// Whether a pooler such as PgBouncer stands before the server and hands out its connections by
    /// the transaction: false. Then no statement stays prepared, nothing is set when connecting,
    /// and a read becomes a transaction of its own, which takes two more exchanges.
    pub transaction_pooler: bool,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            max_connections: 16,
            min_connections: 1,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(4),
            lock_timeout: Duration::from_secs(2),
            idle_in_transaction_timeout: Duration::from_secs(10),
            max_lifetime: Duration::from_secs(30 * 60),
            replica_url: None,
            transaction_pooler: false,
        }
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("max_connections", &self.max_connections)
            .field("min_connections", &self.min_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("lock_timeout", &self.lock_timeout)
            .field("idle_in_transaction_timeout", &self.idle_in_transaction_timeout)
            .field("max_lifetime", &self.max_lifetime)
            .field("replica", &self.replica_url.is_some())
            .field("transaction_pooler", &self.transaction_pooler)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let replica_url = Some("postgres://chat:s3cret@db/chat".to_owned());
        let config = PostgresConfig { replica_url, ..PostgresConfig::default() };
        assert!(!format!("{config:?} {config:#?}").contains("s3cret"), "{config:?}");
    }
}
