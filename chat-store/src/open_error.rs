use std::error::Error;
use std::path::PathBuf;

/// Why a database could not be opened or migrated, in words for whoever runs the server. None of
/// them shows a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The location is not one that SQLite understands.
    #[error("{location:?} is not a path or a URL such as sqlite:data/chat.db")]
    Location {
        /// What was given.
        location: String,
        /// Why it is refused.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A database in memory is another one for every connection.
    #[error("a database in memory cannot be shared by several connections: use a file")]
    InMemory,
    /// There is no such file, and none can be made.
    #[error("cannot open or create {}: its folder must exist and be writable", path.display())]
    CannotOpen {
        /// The file.
        path: PathBuf,
        /// What the database says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file can be read only.
    #[error("cannot write to {}: the file and its folder must be writable", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the database says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file is something else.
    #[error("{} is not a database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What the database says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file is a database, but not as it was written.
    #[error(
        "{} is damaged ({what}): stop whatever uses it, keep a copy of it, and restore a backup, as \
         docs/databases.md describes",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, in a few words.
        what: String,
    },
    /// The URL is not one that Postgres understands. What was given is not shown, because it may
    /// hold a password.
    #[error(
        "the database URL is not understood: it should be such as \
         postgres://user:password@host:5432/database"
    )]
    Url(#[source] Box<dyn Error + Send + Sync>),
    /// The settings contradict each other.
    #[error("{0}")]
    Settings(&'static str),
    /// Nothing answers there.
    #[error("no database server answers at {server}: is it running, and may it be reached?")]
    Unreachable {
        /// Host and port, or a socket.
        server: String,
        /// What the system says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server and this side do not agree on encryption, or the server is not who it should be.
    #[error("no encrypted connection to the database server at {server} can be made")]
    Tls {
        /// Host and port, or a socket.
        server: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server does not let the user in.
    #[error("the database server at {server} does not let {user:?} in: check name and password")]
    AccessDenied {
        /// Host and port, or a socket.
        server: String,
        /// Who was to log in.
        user: String,
        /// What the server says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// What answers is a pooler that hands out connections by the transaction.
    #[error(
        "a pooler that hands out connections by the transaction answers at {server}: set \
         transaction_pooler to true"
    )]
    Pooler {
        /// Host and port, or a socket.
        server: String,
        /// What it says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// What is configured of the replica is wrong. That it does not answer is no error.
    #[error("the replica (replica_url) cannot be used")]
    Replica(#[source] Box<OpenError>),
    /// The replica follows another server than the primary, and so has other data.
    #[error(
        "the server at {replica} (replica_url) is no replica of the one at {primary}: it must be a \
         streaming replica, which has the same system identifier"
    )]
    AnotherCluster {
        /// Host and port of the primary, or a socket.
        primary: String,
        /// Host and port of the replica, or a socket.
        replica: String,
    },
    /// The server does not have the database.
    #[error("the database server at {server} has no database {database:?}: create it first")]
    NoSuchDatabase {
        /// Host and port, or a socket.
        server: String,
        /// Its name.
        database: String,
        /// What the server says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The database has been used by a later version of this crate.
    #[error(
        "the database has schema {found}, this version knows up to {known}: run the newer version"
    )]
    NewerSchema {
        /// The database's schema.
        found: i64,
        /// The latest that this version knows.
        known: i64,
    },
    /// A migration failed and left no trace.
    #[error("the database could not be migrated")]
    Migration(#[source] Box<dyn Error + Send + Sync>),
    /// The database cannot be read.
    #[error("the database could not be read")]
    Unreadable(#[source] Box<dyn Error + Send + Sync>),
}

impl OpenError {
    /// The same of the replica.
    pub(crate) fn replica(error: Self) -> Self {
        Self::Replica(error.into())
    }
}
