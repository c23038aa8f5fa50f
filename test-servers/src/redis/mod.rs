mod builder;
mod cluster;

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

pub use self::builder::RedisBuilder;
pub use self::cluster::RedisCluster;
use crate::ServerError;
use crate::controls::controls;
use crate::program::run;
use crate::server::{Kind, Place, Server};
use crate::text::{escaped, quoted};
use crate::wire::ask;

/// The file of its settings.
const SETTINGS: &str = "redis.conf";

/// Settings of every server; those of a test come after them. The limit of what may wait for a
/// subscriber is higher than usual, since tests freeze and delay them on purpose.
const COMMON: &str = "bind 127.0.0.1
save \"\"
appendonly no
maxclients 10000
tcp-backlog 511
client-output-buffer-limit pubsub 256mb 64mb 60
";

/// Further settings of a node of a cluster. Nodes learn of the death of another within seconds.
const CLUSTERED: &str = "cluster-enabled yes
cluster-config-file nodes.conf
cluster-node-timeout 3000
";

/// A Redis server for tests, which writes nothing down: when it is started again, it is empty.
#[derive(Debug)]
pub struct Redis {
    server: Server<Memory>,
}

controls!(Redis);

impl Redis {
    /// A server that is configured first.
    #[must_use]
    pub fn builder() -> RedisBuilder {
        RedisBuilder::default()
    }

    /// Starts a server that asks for no password.
    ///
    /// # Errors
    ///
    /// When Redis is not installed, or does not start.
    pub fn start() -> Result<Self, ServerError> {
        Self::builder().start()
    }

    /// The one server of all tests in this process, started at first use. Each test has to use keys
    /// and channels of its own.
    ///
    /// # Panics
    ///
    /// When it cannot be started, with the reason.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Redis> =
            LazyLock::new(|| Redis::start().unwrap_or_else(|error| panic!("{error}")));
        &SHARED
    }

    /// Where to connect to, such as `redis://:password@127.0.0.1:6379`.
    #[must_use]
    pub fn url(&self) -> String {
        let password = self.server.kind.password.as_ref();
        let password = password.map_or_else(String::new, |word| format!(":{}@", escaped(word)));
        format!("redis://{password}127.0.0.1:{}", self.port())
    }

    /// Runs a command, such as `["INFO", "commandstats"]`, and returns what `redis-cli` shows. It
    /// waits for as long as the server is paused.
    ///
    /// # Errors
    ///
    /// When the server refuses, or cannot be connected to.
    pub fn execute(&self, command: &[&str]) -> Result<String, ServerError> {
        let memory = &self.server.kind;
        let mut client = Command::new(&memory.client);
        client.env_clear().current_dir("/");
        if let Some(password) = &memory.password {
            client.env("REDISCLI_AUTH", password);
        }
        client.args(["-h", "127.0.0.1", "-p", &self.port().to_string(), "-e", "--raw"]);
        run(client.args(command))
    }
}

/// What a server is told.
#[derive(Debug)]
struct Memory {
    program: PathBuf,
    /// `redis-cli`.
    client: PathBuf,
    password: Option<String>,
    clustered: bool,
    /// Lines of the configuration, after those of every server.
    settings: String,
}

impl Kind for Memory {
    const NAME: &'static str = "redis";

    fn prepare(&self, place: &Place) -> Result<(), ServerError> {
        let folder = quoted(&place.folder.display().to_string());
        let mut settings = format!("port {}\ndir {folder}\n{COMMON}", place.port);
        if self.clustered {
            // Where nodes speak to each other would otherwise be 10,000 above, taken or not.
            settings += &format!("{CLUSTERED}cluster-port {}\n", place.second_port);
        }
        if let Some(password) = &self.password {
            settings += &format!("requirepass {}\n", quoted(password));
        }
        place.user.write(&place.path(SETTINGS), &(settings + &self.settings))
    }

    fn program(&self) -> PathBuf {
        self.program.clone()
    }

    fn arguments(&self, place: &Place) -> Vec<String> {
        vec![place.path(SETTINGS).display().to_string()]
    }

    fn answers(&self, place: &Place) -> bool {
        let mut request = String::new();
        if let Some(password) = &self.password {
            request += &words(&["AUTH", password]);
        }
        request += &words(&["INFO", "server"]);
        let settings = place.path(SETTINGS).display().to_string();
        // Nothing comes after that unless it is asked for, nor does a refusal say more.
        let enough = |said: &str| said.contains(&settings) || said.starts_with('-');
        ask(place.port, &request, enough).is_ok_and(|said| said.contains(&settings))
    }
}

/// A command as Redis reads it.
fn words(command: &[&str]) -> String {
    let words = command.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", command.len(), words.collect::<String>())
}
