use std::fmt;
use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    ProtocolVersion, RedisResult, TlsCertificates,
};

use super::error::CallError;
use crate::{ClusterConfig, ConnectError};

/// A URL that would be understood.
const EXAMPLE: &str = "redis://user:password@host:6379 or rediss://host:6379";
/// Commands that wait for a connection to take them. Whoever comes later waits to be one of them.
const QUEUE: usize = 1_024;

/// A server: host and port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// How to get into servers: with what name and password, and by which certificates. That is the
/// same for all servers of a cluster.
#[derive(Clone)]
pub(super) struct Access {
    seed: ConnectionInfo,
    certificates: Option<Vec<u8>>,
    pub(super) timeout: Duration,
}

/// Names and passwords are not shown.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Access {
    /// Reads what is configured: one for each URL.
    pub(super) fn read(config: &ClusterConfig) -> Result<Vec<Self>, ConnectError> {
        let read = config.ca_file.as_ref().map(std::fs::read).transpose();
        let certificates = read.map_err(|error| ConnectError::Certificates(error.into()))?;
        let one = |url: &String| {
            let not_understood = |error: redis::RedisError| ConnectError::Url {
                example: EXAMPLE,
                source: error.into(),
            };
            let seed = url.as_str().into_connection_info().map_err(not_understood)?;
            if matches!(seed.addr(), ConnectionAddr::Unix(_)) {
                let source = "a cluster has no sockets in the file system".into();
                return Err(ConnectError::Url { example: EXAMPLE, source });
            }
            let settings = seed.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
            let tcp = TcpSettings::default().set_nodelay(true);
            let seed = seed.set_redis_settings(settings).set_tcp_settings(tcp);
            let access = Self { seed, certificates: certificates.clone(), timeout: config.timeout };
            // Whether the certificates are of use shows here, and not at the first lost connection.
            let client = access.client(&access.address());
            client.map_err(|error| ConnectError::Certificates(error.into()))?;
            Ok(access)
        };
        let all: Vec<_> = config.urls.iter().map(one).collect::<Result<_, _>>()?;
        if all.is_empty() { Err(ConnectError::NoUrl) } else { Ok(all) }
    }

    /// The server that the URL names.
    pub(super) fn address(&self) -> Address {
        match self.seed.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Address { host: host.clone(), port: *port }
            }
            _ => Address { host: String::new(), port: 0 },
        }
    }

    /// Connects to a server, which takes as long as the timeout allows, at most. Whatever comes
    /// unasked, and that the connection has ended, is handed to `pushes`.
    pub(super) async fn connect(
        &self,
        address: &Address,
        pushes: impl AsyncPushSender,
    ) -> Result<MultiplexedConnection, CallError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
            .set_pipeline_buffer_size(QUEUE)
            .set_push_sender(pushes);
        let client = self.client(address)?;
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let connected = tokio::time::timeout(self.timeout, connecting).await;
        Ok(connected.map_err(|_| CallError::TimedOut(self.timeout))??)
    }

    fn client(&self, address: &Address) -> RedisResult<Client> {
        let Address { host, port } = address.clone();
        let seed = self.seed.clone();
        if let ConnectionAddr::TcpTls { insecure, .. } = *seed.addr() {
            trust_a_provider();
            let there = ConnectionAddr::TcpTls { host, port, insecure, tls_params: None };
            let root_cert = self.certificates.clone();
            let certificates = TlsCertificates { client_tls: None, root_cert };
            Client::build_with_tls(seed.set_addr(there), certificates)
        } else {
            Client::open(seed.set_addr(ConnectionAddr::Tcp(host, port)))
        }
    }
}

/// Chooses how this process encrypts, unless it has chosen already.
fn trust_a_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been faster, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}
