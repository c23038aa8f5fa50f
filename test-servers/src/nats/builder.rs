use super::{Broker, Nats};
use crate::ServerError;
use crate::program::find;
use crate::server::Server;

pub(super) const CERTIFICATE: &str = "server.pem";
pub(super) const KEY: &str = "server.key";

/// What a test wants of its server.
#[derive(Debug, Default)]
pub struct NatsBuilder {
    settings: String,
    user: Option<(String, String)>,
    tls: Option<(String, String)>,
}

impl NatsBuilder {
    /// A setting, as in `nats-server.conf`, such as `max_payload` and `64KB`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings += &format!("{name}: {value}\n");
        self
    }

    /// Asks everybody for this user and password.
    #[must_use]
    pub fn user(mut self, user: &str, password: &str) -> Self {
        self.user = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// Speaks TLS only, with a certificate (and what it is signed by, if need be) and its key, both
    /// as PEM.
    #[must_use]
    pub fn tls(mut self, certificate: &str, key: &str) -> Self {
        self.tls = Some((certificate.to_owned(), key.to_owned()));
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    ///
    /// When NATS is not installed, or does not start.
    pub fn start(self) -> Result<Nats, ServerError> {
        let tls = self.tls.is_some();
        let files = self.tls.map(|(certificate, key)| [(CERTIFICATE, certificate), (KEY, key)]);
        let server = Server::start(Broker {
            program: find("nats-server", "nats-server")?,
            user: self.user,
            tls,
            settings: self.settings,
            files: files.into_iter().flatten().collect(),
        })?;
        Ok(Nats { server })
    }
}
