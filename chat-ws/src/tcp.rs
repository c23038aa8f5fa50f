use std::any::Any;
use std::fmt;

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A stream of an HTTP server that is a TCP connection: events can then be written to it
/// [directly](chat_core::direct), which is what makes large rooms cheap.
pub trait TcpBased: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The connection, and what must be kept until it has ended.
    fn into_tcp(self) -> (TcpStream, Box<dyn Any + Send>);
}

impl TcpBased for TcpStream {
    fn into_tcp(self) -> (TcpStream, Box<dyn Any + Send>) {
        (self, Box::new(()))
    }
}

/// What a connection is after its upgrade.
pub(crate) enum Opened {
    /// A TCP connection, with what was read from it too early.
    Tcp { stream: TcpStream, early: Bytes, kept: Box<dyn Any + Send> },
    /// Any other.
    Other(Upgraded),
}

/// Opens a connection of an HTTP server whose streams are of this type: hyper's own for HTTP/1, or
/// the one that tells versions apart, as axum has it.
pub(crate) fn open<T: TcpBased>(upgraded: Upgraded) -> Opened {
    let (io, early) = match upgraded.downcast::<TokioIo<T>>() {
        Ok(parts) => (parts.io, parts.read_buf),
        Err(upgraded) => match auto::upgrade::downcast::<TokioIo<T>>(upgraded) {
            Ok(parts) => (parts.io, parts.read_buf),
            Err(upgraded) => return Opened::Other(upgraded),
        },
    };
    let (stream, kept) = io.into_inner().into_tcp();
    Opened::Tcp { stream, early, kept }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp { .. } => "Tcp",
            Self::Other(_) => "Other",
        })
    }
}
