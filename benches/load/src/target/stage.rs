use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::{Running, Settings, Target, Template};
use crate::Failure;
use crate::world::{SECRET, tokens, user};

/// Everything that a server needs to start, any number of times.
#[derive(Debug)]
pub(crate) struct Stage {
    target: Target,
    settings: Settings,
    template: Arc<Template>,
    tokens: Arc<[String]>,
    lengths: Lengths,
    folder: TempDir,
}

/// Bytes of the server's frames, which limits send as many of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lengths {
    pub(crate) ready: usize,
    pub(crate) event: usize,
}

/// What is not as it is by default: no limit, no ping, and no log that would be in the way.
const CONFIG: &str = r#"
drain_seconds = 0
log.filter = "warn"
limits.messages_per_second = 1000000
limits.message_burst = 1000000
limits.conversations_per_minute = 1000000
limits.sessions_per_user = 10000
limits.memberships_per_user = 1000000
limits.membership_changes_per_minute = 1000000
limits.reads_per_second = 1000000
limits.read_burst = 1000000
limits.operations_at_once = 10000
limits.signals_per_second = 1000000
limits.signal_burst = 1000000
limits.resume_conversations_per_minute = 100000000
limits.connects_per_minute = 1000000
heartbeat.ping_interval_ms = 86400000
connections.total = 1000000
connections.per_address = 1000000
connections.unauthenticated = 1000000
websocket.frames_per_second = 1000000
websocket.frame_burst = 1000000
"#;

impl Stage {
    /// Prepares a folder of its own.
    pub(crate) fn new(
        target: Target,
        settings: &Settings,
        template: Arc<Template>,
        lengths: Lengths,
    ) -> Result<Self, Failure> {
        std::fs::create_dir_all(&settings.folder)?;
        let folder = tempfile::tempdir_in(&settings.folder)?;
        let users = template.world.users;
        let tokens = match target {
            Target::Raw | Target::Batching | Target::Disk => Vec::new(),
            // It takes whom it is told.
            Target::Bare => (0..users)
                .map(|number| Ok(user(number)?.to_string()))
                .collect::<Result<_, Failure>>()?,
            _ => tokens(users)?,
        };
        let stage = Self {
            target,
            settings: settings.clone(),
            template,
            tokens: tokens.into(),
            lengths,
            folder,
        };
        match target {
            Target::Server => {
                let config = format!("{CONFIG}\njwt.secret = \"{SECRET}\"\n");
                std::fs::write(stage.file("config.toml"), config)?;
            }
            Target::Memory => stage.template.write_to(&stage.file("world.json"))?,
            _ => {}
        }
        Ok(stage)
    }

    /// Starts the server, with all as it was at the first start.
    pub(crate) fn start(&self) -> Result<Running<'_>, Failure> {
        if self.target.has_database() {
            self.template.copy_to(&self.data())?;
        }
        let (program, arguments) = self.program()?;
        let mut command = if self.settings.unpinned {
            Command::new(program)
        } else {
            let mut pinned = Command::new(std::env::current_exe()?);
            pinned.arg("pinned").arg(self.settings.server_core.to_string()).arg("--").arg(program);
            pinned
        };
        command.args(arguments).stderr(File::create(self.file("log"))?);
        let rest = Duration::from_millis(self.settings.rest_ms);
        let (world, tokens) = (&self.template.world, &self.tokens);
        Running::start(self.target, &mut command, world, tokens, rest)
    }

    /// What the server has logged since it was started last.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// The folder, for who measures its disk.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.file("data")
    }

    fn program(&self) -> Result<(PathBuf, Vec<String>), Failure> {
        let own = std::env::current_exe()?;
        let path = |path: PathBuf| path.to_str().map(str::to_owned).ok_or("a path that is no text");
        let embedding = |store: &str| -> Result<_, Failure> {
            Ok(vec!["serve".into(), store.into(), path(self.data().join("chat.db"))?])
        };
        let limit = |writing: &str| {
            let Lengths { ready, event } = self.lengths;
            let lengths = [format!("--ready-bytes={ready}"), format!("--event-bytes={event}")];
            [vec!["limit".into(), writing.into()], lengths.to_vec()].concat()
        };
        Ok(match self.target {
            Target::Server => {
                let arguments = vec![
                    "--config".into(),
                    path(self.file("config.toml"))?,
                    "--data".into(),
                    path(self.data())?,
                    "serve".into(),
                    "--listen=127.0.0.1:0".into(),
                ];
                (self.settings.server()?, arguments)
            }
            Target::Memory => {
                (own, vec!["serve".into(), "memory".into(), path(self.file("world.json"))?])
            }
            Target::Sqlite => (own, embedding("sqlite")?),
            Target::OneByOne => (own, embedding("one-by-one")?),
            Target::Counted => (own, embedding("counted")?),
            Target::Bare => (own, embedding("bare")?),
            Target::Raw => (own, limit("raw")),
            Target::Batching => (own, limit("batching")),
            Target::Disk => return Err("a disk is no server".into()),
        })
    }
}
