use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::ServerError;
use crate::program::{find, run};

/// Who servers run as when the tests run as root, which most servers refuse: the first of these
/// that there is.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// Who a server runs as.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ServerUser {
    /// Who runs the tests.
    Same,
    /// Another user, since root runs the tests.
    Other { user: u32, group: u32 },
}

impl ServerUser {
    pub(crate) fn choose() -> Result<Self, ServerError> {
        static CHOSEN: OnceLock<ServerUser> = OnceLock::new();
        if let Some(chosen) = CHOSEN.get() {
            return Ok(*chosen);
        }
        let chosen = if id(&["-u"])? == 0 { Self::other()? } else { Self::Same };
        Ok(*CHOSEN.get_or_init(|| chosen))
    }

    fn other() -> Result<Self, ServerError> {
        let mut last = None;
        for name in USERS {
            match (id(&["-u", name]), id(&["-g", name])) {
                (Ok(user), Ok(group)) => return Ok(Self::Other { user, group }),
                (Err(error), _) | (_, Err(error)) => last = Some(error),
            }
        }
        Err(last.unwrap_or(ServerError::Missing { program: "nobody", package: "base-passwd" }))
    }

    /// The words of a command that runs a program as this user.
    pub(crate) fn words(self, program: &Path) -> Result<Vec<String>, ServerError> {
        let program = program.display().to_string();
        Ok(match self {
            Self::Same => vec![program],
            Self::Other { user, group } => vec![
                find("setpriv", "util-linux")?.display().to_string(),
                format!("--reuid={user}"),
                format!("--regid={group}"),
                "--clear-groups".into(),
                "--".into(),
                program,
            ],
        })
    }

    /// A command that runs a program as this user.
    pub(crate) fn command(self, program: &Path) -> Result<Command, ServerError> {
        let words = self.words(program)?;
        let mut command = Command::new(&words[0]);
        // A folder of root's is none that another user may begin in.
        command.args(&words[1..]).current_dir("/");
        Ok(command)
    }

    /// Writes a file that only this user may read.
    pub(crate) fn write(self, path: &Path, contents: &str) -> Result<(), ServerError> {
        let failed = ServerError::io(format!("writing {}", path.display()));
        std::fs::write(path, contents).map_err(failed)?;
        self.own(path)
    }

    /// Gives a file or folder to this user, and hides it from all others.
    pub(crate) fn own(self, path: &Path) -> Result<(), ServerError> {
        let failed = || ServerError::io(format!("giving away {}", path.display()));
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed())?;
        match self {
            Self::Same => Ok(()),
            Self::Other { user, group } => chown(path, Some(user), Some(group)).map_err(failed()),
        }
    }
}

fn id(arguments: &[&str]) -> Result<u32, ServerError> {
    let said = run(Command::new("id").args(arguments))?;
    said.parse().map_err(|_| ServerError::Failed { program: "id".into(), said })
}
