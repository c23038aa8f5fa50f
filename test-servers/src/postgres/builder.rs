use std::sync::atomic::AtomicU32;

use super::Postgres;
use super::cluster::Cluster;
use crate::ServerError;
use crate::process::folder;
use crate::program::{find_together, run};
use crate::server::Server;
use crate::user::ServerUser;

/// What a server and its tests need; they must be of one version.
const PROGRAMS: [&str; 5] = ["initdb", "postgres", "psql", "pg_isready", "pg_basebackup"];

/// Settings of every server; those of a test come after them.
const SETTINGS: [(&str, &str); 8] = [
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("max_connections", "200"),
    ("shared_buffers", "16MB"),
    ("synchronous_commit", "on"),
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    ("max_wal_size", "256MB"),
];

/// What a test wants of its server.
#[derive(Debug, Default)]
pub struct PostgresBuilder {
    settings: Vec<(String, String)>,
    files: Vec<(String, String)>,
    password: Option<String>,
}

impl PostgresBuilder {
    /// A setting, as in `postgresql.conf`. For speed, `fsync` may be `off` where no test cuts the
    /// power.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file in the folder of the server's data, such as `server.key` or a `pg_hba.conf` in place
    /// of the usual one. Only the server may read it.
    #[must_use]
    pub fn file(mut self, name: &str, contents: &str) -> Self {
        self.files.push((name.to_owned(), contents.to_owned()));
        self
    }

    /// Asks everybody for a password.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Makes a cluster and starts its server.
    ///
    /// # Errors
    ///
    /// When Postgres is not installed, or does not start.
    pub fn start(self) -> Result<Postgres, ServerError> {
        let user = ServerUser::choose()?;
        let programs = find_together(&PROGRAMS, "postgresql")?;
        let folder = folder("postgres", user)?;
        let data = folder.path().join("data");
        let mut initdb = user.command(&programs.join("initdb"))?;
        initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--username=postgres", "-D"]);
        initdb.arg(&data);
        if let Some(password) = &self.password {
            let file = folder.path().join("password");
            user.write(&file, password)?;
            initdb.arg("--auth=scram-sha-256").arg("--pwfile").arg(file);
        } else {
            initdb.arg("--auth=trust");
        }
        run(&mut initdb)?;
        for (name, contents) in &self.files {
            user.write(&data.join(name), contents)?;
        }
        let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = settings.into_iter().chain(self.settings).collect();
        let cluster = Cluster { programs, password: self.password, settings };
        let server = Server::start_in(folder, cluster, user)?;
        Ok(Postgres { server, databases: AtomicU32::default() })
    }
}
