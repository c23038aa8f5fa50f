use std::sync::atomic::AtomicU32;

use super::Postgres;
use crate::ServerError;
use crate::process::folder;
use crate::program::run;
use crate::server::Server;

impl Postgres {
    /// Starts a second server that copies this one and then follows it, for reading only. How far
    /// behind it is can be had with `pg_wal_replay_pause()` and `pg_wal_replay_resume()`.
    ///
    /// # Errors
    ///
    /// When copying fails, or the second server does not start.
    pub fn start_replica(&self) -> Result<Self, ServerError> {
        let cluster = self.server.kind.clone();
        let user = self.server.place.user;
        let folder = folder("replica", user)?;
        let mut copy = user.command(&cluster.programs.join("pg_basebackup"))?;
        copy.args(["-h", "127.0.0.1", "-p", &self.port().to_string(), "-U", "postgres"]);
        copy.args(["--checkpoint=fast", "--no-sync", "--write-recovery-conf", "-X", "stream"]);
        if let Some(password) = &cluster.password {
            copy.env("PGPASSWORD", password);
        }
        run(copy.arg("-D").arg(folder.path().join("data")))?;
        let server = Server::start_in(folder, cluster, user)?;
        Ok(Self { server, databases: AtomicU32::default() })
    }
}
