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

#[cfg(test)]
mod tests {
    use axum::extract::Request;
    use axum::http::StatusCode;
    use axum::http::header::{CONNECTION, UPGRADE};
    use axum::routing::get;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;

    /// What `axum::serve` accepts is a TCP connection after the upgrade, too.
    #[tokio::test]
    async fn connections_of_axums_server_are_opened() {
        let (opened, mut openings) = mpsc::channel(1);
        let upgrade = async move |request: Request| {
            tokio::spawn(async move {
                let upgraded = hyper::upgrade::on(request).await.unwrap();
                opened.send(open::<TcpStream>(upgraded)).await.unwrap();
            });
            (StatusCode::SWITCHING_PROTOCOLS, [(CONNECTION, "upgrade"), (UPGRADE, "websocket")])
        };
        let router = axum::Router::new().route("/", get(upgrade));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = "GET / HTTP/1.1\r\nhost: here\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nearly";
        client.write_all(request.as_bytes()).await.unwrap();
        let opened = tokio::time::timeout(std::time::Duration::from_secs(30), openings.recv());
        match opened.await.unwrap().unwrap() {
            Opened::Tcp { early, .. } => assert_eq!(early, "early"),
            other @ Opened::Other(_) => panic!("{other:?}"),
        }
        server.abort();
    }
}
