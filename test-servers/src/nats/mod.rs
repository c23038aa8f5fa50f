mod builder;
mod statistics;

use std::path::PathBuf;
use std::sync::LazyLock;

pub use self::builder::NatsBuilder;
pub use self::statistics::{NatsConnection, NatsStatistics};
use crate::ServerError;
use crate::controls::controls;
use crate::server::{Kind, Place, Server};
use crate::text::{escaped, quoted};
use crate::wire::ask;

/// The file of its settings.
const SETTINGS: &str = "nats.conf";
/// The folder of JetStream's data.
const DATA: &str = "jetstream";

/// A NATS server for tests, with JetStream.
#[derive(Debug)]
pub struct Nats {
    server: Server<Broker>,
}

controls!(Nats);

impl Nats {
    /// A server that is configured first.
    #[must_use]
    pub fn builder() -> NatsBuilder {
        NatsBuilder::default()
    }

    /// Starts a server that asks for no password.
    ///
    /// # Errors
    ///
    /// When NATS is not installed, or does not start.
    pub fn start() -> Result<Self, ServerError> {
        Self::builder().start()
    }

    /// The one server of all tests in this process, started at first use. Each test has to use
    /// subjects, streams and names of its own.
    ///
    /// # Panics
    ///
    /// When it cannot be started, with the reason.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Nats> =
            LazyLock::new(|| Nats::start().unwrap_or_else(|error| panic!("{error}")));
        &SHARED
    }

    /// Where to connect to, such as `nats://user:password@127.0.0.1:4222`; with TLS, `tls://…`.
    #[must_use]
    pub fn url(&self) -> String {
        let broker = &self.server.kind;
        let scheme = if broker.tls { "tls" } else { "nats" };
        let user = broker.user.as_ref().map_or_else(String::new, |(user, password)| {
            format!("{}:{}@", escaped(user), escaped(password))
        });
        format!("{scheme}://{user}127.0.0.1:{}", self.port())
    }

    /// Starts the server on the same port without all that JetStream has stored, as another machine
    /// would in its place. A server that still runs is killed first.
    ///
    /// # Errors
    ///
    /// When it does not end, its data cannot be removed, or it does not start.
    pub fn start_empty(&self) -> Result<(), ServerError> {
        if self.server.runs() {
            self.kill()?;
        }
        let data = self.server.place.path(DATA);
        if data.exists() {
            let failed = ServerError::io(format!("removing {}", data.display()));
            std::fs::remove_dir_all(&data).map_err(failed)?;
        }
        self.start_again()
    }

    /// What has passed through the server since it was started, and who is connected.
    ///
    /// The server counts a message when it has read it, which is not when a client has written it:
    /// a client's `flush` waits for that.
    ///
    /// # Errors
    ///
    /// When the server does not answer.
    pub fn statistics(&self) -> Result<NatsStatistics, ServerError> {
        let monitor = self.server.place.second_port;
        let page = |path| {
            let request = format!("GET {path} HTTP/1.0\r\n\r\n");
            ask(monitor, &request, |_| false).map_err(ServerError::io("asking nats what it counts"))
        };
        let connections = page("/connz?subs=1&limit=65536")?;
        Ok(NatsStatistics::read(&page("/varz")?, &connections))
    }
}

/// What a server is told.
#[derive(Debug)]
struct Broker {
    program: PathBuf,
    /// Who may connect: a name and a password.
    user: Option<(String, String)>,
    tls: bool,
    /// Lines of the configuration, after those of every server.
    settings: String,
    /// Further files, by their names.
    files: Vec<(&'static str, String)>,
}

impl Kind for Broker {
    const NAME: &'static str = "nats";

    fn prepare(&self, place: &Place) -> Result<(), ServerError> {
        for (name, contents) in &self.files {
            place.user.write(&place.path(name), contents)?;
        }
        place.user.write(&place.path(SETTINGS), &self.configuration(place))
    }

    fn program(&self) -> PathBuf {
        self.program.clone()
    }

    fn arguments(&self, place: &Place) -> Vec<String> {
        vec!["--config".into(), place.path(SETTINGS).display().to_string()]
    }

    /// A server greets everybody with its name, before TLS and before asking for a password.
    fn answers(&self, place: &Place) -> bool {
        let greeting = ask(place.port, "", |said| said.contains("\r\n"));
        greeting.is_ok_and(|said| said.contains(&quoted(&place.name())))
    }
}

impl Broker {
    fn configuration(&self, place: &Place) -> String {
        let path = |name| quoted(&place.path(name).display().to_string());
        let mut lines = format!(
            "listen: \"127.0.0.1:{}\"
http: \"127.0.0.1:{}\"
server_name: {}
jetstream {{ store_dir: {}, max_memory_store: 256MB, max_file_store: 1GB }}
",
            place.port,
            place.second_port,
            quoted(&place.name()),
            path(DATA),
        );
        if let Some((user, password)) = &self.user {
            let (user, password) = (quoted(user), quoted(password));
            lines += &format!("authorization {{ user: {user}, password: {password} }}\n");
        }
        if self.tls {
            let (certificate, key) = (path(builder::CERTIFICATE), path(builder::KEY));
            lines += &format!("tls {{ cert_file: {certificate}, key_file: {key} }}\n");
        }
        lines + &self.settings
    }
}
