mod builder;
mod replica;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

pub use self::builder::PostgresBuilder;
use crate::ServerError;
use crate::error::not_running;
use crate::port::free_port;
use crate::process::Process;
use crate::program::run;
use crate::user::ServerUser;

/// How often a server is started anew when somebody else was faster to take its port, or something
/// of its predecessor is still in memory.
const ATTEMPTS: u32 = 10;

/// A Postgres server for tests.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    user: ServerUser,
    folder: PathBuf,
    port: u16,
    password: Option<String>,
    settings: Vec<(String, String)>,
    /// The server, perhaps stopped or killed; none only while, or because, it does not start.
    process: Mutex<Option<Process>>,
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

    /// The port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where its data and its log are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let password = self.password.as_ref().map_or_else(String::new, |word| format!(":{word}"));
        format!("postgres://postgres{password}@127.0.0.1:{}/{database}", self.port)
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
        let mut command = self.client("psql");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database]);
        run(command.args(["-c", statement]))
    }

    /// Freezes the server and all its children (SIGSTOP): connections stay open, and nothing
    /// answers.
    ///
    /// # Errors
    ///
    /// When the server is not running.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.with_process(|process| process.signal("STOP"))
    }

    /// Lets a paused server go on.
    ///
    /// # Errors
    ///
    /// When the server is not running.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.with_process(|process| process.signal("CONT"))
    }

    /// Kills the server and all its children (SIGKILL). What it had not yet written down is lost.
    ///
    /// # Errors
    ///
    /// When the server is not running, or does not go away.
    pub fn kill(&self) -> Result<(), ServerError> {
        self.end(|process| process.signal("KILL"))
    }

    /// Stops the server in an orderly way that does not wait for its clients.
    ///
    /// # Errors
    ///
    /// When the server is not running, or does not end.
    pub fn stop(&self) -> Result<(), ServerError> {
        self.end(|process| process.ask("INT"))
    }

    /// Starts a server that was stopped or killed, on the same port with the same data, and waits
    /// until it answers.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start_again(&self) -> Result<(), ServerError> {
        let mut process = self.lock();
        let runs = process.as_mut().is_some_and(|process| !process.has_exited());
        if !runs {
            if let Some(ended) = process.take() {
                ended.keep_folder();
            }
            *process = Some(self.start_process(self.port)?);
        }
        Ok(())
    }

    /// Stops the server and starts it again.
    ///
    /// # Errors
    ///
    /// When it does not end or does not start.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.stop()?;
        self.start_again()
    }

    /// Starts the server, at a port that may turn out to be taken.
    fn start_somewhere(mut self) -> Result<Self, ServerError> {
        let mut attempt = 1;
        loop {
            self.port = free_port()?;
            match self.start_process(self.port) {
                Ok(process) => {
                    *self.lock() = Some(process);
                    return Ok(self);
                }
                Err(error) if attempt == ATTEMPTS => return Err(error),
                Err(_) => attempt += 1,
            }
        }
    }

    /// Starts the server at a port, and waits until it answers.
    fn start_process(&self, port: u16) -> Result<Process, ServerError> {
        let mut words = self.user.words(&self.programs.join("postgres"))?;
        words.extend(["-D".into(), self.data().display().to_string()]);
        words.extend(["-c".into(), format!("port={port}")]);
        for (name, value) in &self.settings {
            words.extend(["-c".into(), format!("{name}={value}")]);
        }
        let mut attempt = 1;
        loop {
            let mut process = Process::start("postgres", self.folder.clone(), &words)?;
            let answers = || run(self.client("pg_isready").args(["-q", "-t", "5"])).is_ok();
            let error = match process.wait_until("start", answers) {
                Ok(()) => return Ok(process),
                Err(error) => error,
            };
            let taken = error.to_string().contains("could not bind");
            if taken || attempt == ATTEMPTS {
                process.keep_folder();
                return Err(error);
            }
            attempt += 1;
            process.keep_folder();
        }
    }

    fn end(
        &self,
        end: impl FnOnce(&mut Process) -> Result<(), ServerError>,
    ) -> Result<(), ServerError> {
        self.with_process(|process| {
            end(process)?;
            process.wait_for_exit()
        })
    }

    fn with_process<T>(
        &self,
        work: impl FnOnce(&mut Process) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        let mut process = self.lock();
        let process = process.as_mut().ok_or_else(|| not_running("postgres"))?;
        if process.has_exited() { Err(not_running("postgres")) } else { work(process) }
    }

    /// A client program that will connect to this server and looks at nothing in the environment.
    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.env_clear().env("PGCONNECT_TIMEOUT", "10").current_dir("/");
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres"]);
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn lock(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Postgres {
    /// The watcher of a process removes the folder; of a server that did not start there is none.
    fn drop(&mut self) {
        if self.lock().is_none() {
            drop(std::fs::remove_dir_all(&self.folder));
        }
    }
}
