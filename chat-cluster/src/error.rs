use std::error::Error;

/// Why a cluster cannot be joined, in words for whoever runs the server. None of them shows a
/// password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is nothing to connect to.
    #[error("no broker is named: give at least one URL")]
    NoUrl,
    /// A URL is not one of this broker. What was given is not shown, because it may hold a password.
    #[error("a broker URL is not understood: it should be such as {example}")]
    Url {
        /// One that would be.
        example: &'static str,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The certificates cannot be read.
    #[error("the certificates of the broker cannot be used")]
    Certificates(#[source] Box<dyn Error + Send + Sync>),
    /// Nobody answers.
    #[error("no broker answers at {servers}: is it running, and may it be reached?")]
    Unreachable {
        /// Hosts and ports.
        servers: String,
        /// What the client says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The broker does not let this node in.
    #[error("the broker at {servers} does not let this node in: check name and password")]
    AccessDenied {
        /// Hosts and ports.
        servers: String,
        /// What the broker says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The broker lacks something, such as JetStream.
    #[error("the broker at {servers} cannot be used: {lacks}")]
    Unsuitable {
        /// Hosts and ports.
        servers: String,
        /// What it lacks, and what to do.
        lacks: &'static str,
        /// What it says.
        source: Box<dyn Error + Send + Sync>,
    },
}
