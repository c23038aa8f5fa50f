mod builder;
mod cluster;
mod replica;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub use self::builder::PostgresBuilder;
use self::cluster::Cluster;
use crate::ServerError;
use crate::controls::controls;
use crate::program::run;
use crate::server::Server;

/// A Postgres server for tests.
#[derive(Debug)]
pub struct Postgres {
    server: Server<Cluster>,
    /// How many databases were made.
    databases: AtomicU32,
}

/// A database of its own for a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Where to connect to, such as `postgres://postgres@127.0.0.1:5432/test_1`.
    pub url: String,
}

controls!(Postgres);

impl Postgres {
    /// A server that is configured first.
    #[must_use]
    pub fn builder() -> PostgresBuilder {
        PostgresBuilder::default()
    }

    /// Starts a server with an empty cluster that asks for no password.
    ///
    /// # Errors
    ///
    /// When Postgres is not installed, or does not start.
    pub fn start() -> Result<Self, ServerError> {
        Self::builder().start()
    }

    /// The one server of all tests in this process, started at first use. It does not force what
    /// it writes to the disk, which only a power cut would show.
    ///
    /// # Panics
    ///
    /// When it cannot be started, with the reason.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Postgres> = LazyLock::new(|| {
            let started = Postgres::builder().setting("fsync", "off").start();
            started.unwrap_or_else(|error| panic!("{error}"))
        });
        &SHARED
    }

    /// The URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let password = self.server.kind.password.as_ref();
        let password = password.map_or_else(String::new, |word| format!(":{word}"));
        format!("postgres://postgres{password}@127.0.0.1:{}/{database}", self.port())
    }

    /// Makes an empty database with a name that no other has.
    ///
    /// # Errors
    ///
    /// When the server does not answer.
    pub fn create_database(&self) -> Result<Database, ServerError> {
        self.create_database_with("TEMPLATE template0")
    }

    /// Makes a database with options as in the statement `CREATE DATABASE`, such as a template or
    /// a collation.
    ///
    /// # Errors
    ///
    /// When the server refuses or does not answer.
    pub fn create_database_with(&self, options: &str) -> Result<Database, ServerError> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed) + 1;
        let name = format!("test_{}_{number}", std::process::id());
        self.execute("postgres", &format!("CREATE DATABASE {name} {options}"))?;
        Ok(Database { url: self.url(&name), name })
    }

    /// Runs a statement in a database and returns what `psql` shows: a line for each row, with
    /// `|` between its columns.
    ///
    /// # Errors
    ///
    /// When the server refuses or does not answer.
    pub fn execute(&self, database: &str, statement: &str) -> Result<String, ServerError> {
        let mut command = self.server.kind.client("psql", self.port());
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database]);
        run(command.args(["-c", statement]))
    }
}
