use std::path::PathBuf;
use std::process::Command;

use crate::program::run;
use crate::server::{Kind, Place};

/// A cluster of databases, and the programs of the version that made it.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub(super) programs: PathBuf,
    pub(super) password: Option<String>,
    pub(super) settings: Vec<(String, String)>,
}

impl Cluster {
    /// A client program that will connect to a server of this machine as its owner, and looks at
    /// nothing in the environment.
    pub(super) fn client(&self, program: &str, port: u16) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.env_clear().env("PGCONNECT_TIMEOUT", "10").current_dir("/");
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "postgres"]);
        command
    }
}

impl Kind for Cluster {
    const NAME: &'static str = "postgres";

    fn program(&self) -> PathBuf {
        self.programs.join("postgres")
    }

    fn arguments(&self, place: &Place) -> Vec<String> {
        let mut arguments = vec!["-D".to_owned(), place.path("data").display().to_string()];
        arguments.extend(["-c".into(), format!("port={}", place.port)]);
        for (name, value) in &self.settings {
            arguments.extend(["-c".into(), format!("{name}={value}")]);
        }
        arguments
    }

    fn answers(&self, place: &Place) -> bool {
        run(self.client("pg_isready", place.port).args(["-q", "-t", "5"])).is_ok()
    }
}
