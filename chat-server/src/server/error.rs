use std::io;
use std::net::SocketAddr;

use chat_core::store::StoreError;

use crate::EngineError;
use crate::config::ConfigError;
use crate::demo::DemoError;

/// Why a server does not start. Messages say what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A value of the configuration is not allowed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Another process listens there.
    #[error(
        "{0} is in use: stop the process that listens there, or choose another port with --listen \
         (port 0 takes any free one)"
    )]
    AddressInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Development mode hands out tokens to whoever asks, so it is for this machine only.
    #[error(
        "development mode lets anybody be any user, so it does not listen on {0}: use a loopback \
         address such as 127.0.0.1, or add --dev-allow-remote if everybody who can reach this \
         machine may do so"
    )]
    RemoteDevelopment(SocketAddr),
    /// The data folder, the store, or what is configured of them.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The database was opened, and then failed.
    #[error("the database cannot be used")]
    Store(#[source] StoreError),
    /// The demo accounts could not be prepared, or retired.
    #[error("the demo accounts could not be looked after")]
    Demo(#[source] DemoError),
}

impl StartError {
    pub(super) fn listen(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse(address),
            _ => Self::Listen { address, source },
        }
    }
}
