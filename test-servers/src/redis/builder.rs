use super::{Memory, Redis, RedisCluster};
use crate::ServerError;
use crate::program::find;
use crate::server::Server;

/// What a test wants of its server, or of each node of its cluster.
#[derive(Debug, Clone, Default)]
pub struct RedisBuilder {
    settings: String,
    password: Option<String>,
}

impl RedisBuilder {
    /// A setting, as in `redis.conf`, such as `maxmemory` and `64mb`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings += &format!("{name} {value}\n");
        self
    }

    /// Asks everybody for a password.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    ///
    /// When Redis is not installed, or does not start.
    pub fn start(self) -> Result<Redis, ServerError> {
        self.start_as(false)
    }

    /// Starts a cluster of three such servers.
    ///
    /// # Errors
    ///
    /// When Redis is not installed or older than 7.0, or a node does not start or join.
    pub fn start_cluster(self) -> Result<RedisCluster, ServerError> {
        let node = || self.clone().start_as(true);
        RedisCluster::join([node()?, node()?, node()?])
    }

    fn start_as(self, clustered: bool) -> Result<Redis, ServerError> {
        let server = Server::start(Memory {
            program: find("redis-server", "redis-server")?,
            client: find("redis-cli", "redis-tools")?,
            password: self.password,
            clustered,
            settings: self.settings,
        })?;
        Ok(Redis { server })
    }
}
