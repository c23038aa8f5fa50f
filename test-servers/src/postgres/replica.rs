use std::sync::Mutex;
use std::sync::atomic::AtomicU32;

use super::Postgres;
use crate::ServerError;
use crate::process::folder;
use crate::program::run;

impl Postgres {
    /// Starts a second server that copies this one and then follows it, for reading only. How far
    /// behind it is can be had with `pg_wal_replay_pause()` and `pg_wal_replay_resume()`.
    ///
    /// # Errors
    ///
    /// When copying fails, or the second server does not start.
    pub fn start_replica(&self) -> Result<Self, ServerError> {
        let folder = folder("replica", self.user)?;
        let mut copy = self.user.command(&self.programs.join("pg_basebackup"))?;
        copy.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres"]);
        copy.args(["--checkpoint=fast", "--no-sync", "--write-recovery-conf", "-X", "stream"]);
        if let Some(password) = &self.password {
            copy.env("PGPASSWORD", password);
        }
        run(copy.arg("-D").arg(folder.path().join("data")))?;
        let replica = Self {
            programs: self.programs.clone(),
            user: self.user,
            folder: folder.path().to_owned(),
            port: 0,
            password: self.password.clone(),
            settings: self.settings.clone(),
            process: Mutex::default(),
            databases: AtomicU32::default(),
        };
        let started = replica.start_somewhere()?;
        let _ = folder.keep();
        Ok(started)
    }
}
