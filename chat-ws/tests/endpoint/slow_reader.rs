//! A session whose client does not read, over a real socket but without an endpoint, so that its
//! end is seen from the inside: a client that reads nothing is not told why it is closed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use chat_ws::{ConnectionConfig, Ended, serve};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::server::{NEVER, soon};
use crate::talk::{Talk, sockets};

/// Bo, who is connected and reads nothing, and Ada, who writes to him.
#[derive(Debug)]
struct Silence {
    talk: Talk,
    connection: JoinHandle<Ended>,
    /// Told when a write has to wait.
    blocked: Arc<Notify>,
    /// Bo's end. It is only kept.
    _client: TcpStream,
}

impl Silence {
    async fn begin() -> Self {
        let talk = Talk::begin().await;
        let session = talk.attach().await;
        let (client, stream) = sockets().await;
        let blocked = Arc::new(Notify::new());
        let stream = Watched { stream, blocked: Arc::clone(&blocked) };
        let config = ConnectionConfig { write_timeout: NEVER, ..ConnectionConfig::default() };
        let connection = tokio::spawn(async move {
            serve(stream, session, &config, &CancellationToken::new()).await
        });
        Self { talk, connection, blocked, _client: client }
    }

    async fn ada_sends(&self) {
        self.talk.ada_sends("x".repeat(4_000)).await;
        // The connection takes what it takes of it.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    /// The code with which the server ends the connection.
    async fn ends(self) -> u16 {
        match soon(self.connection).await.unwrap() {
            Ended::ByServer(closing) => closing.code(),
            other => panic!("not by the server: {other:?}"),
        }
    }
}

/// A stream that tells when it takes no more.
#[derive(Debug)]
struct Watched {
    stream: TcpStream,
    blocked: Arc<Notify>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_pending() {
            self.blocked.notify_one();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_reader_that_stops_is_ended_for_what_waits_and_not_for_the_time() {
    let silence = Silence::begin().await;
    let mut sent = 0;
    while !silence.connection.is_finished() && sent < 2_000 {
        silence.ada_sends().await;
        sent += 1;
    }
    assert_eq!(silence.ends().await, 4001);
}

#[tokio::test]
async fn a_login_that_ends_does_not_wait_for_a_reader_that_has_stopped() {
    let silence = Silence::begin().await;
    // More than the sockets hold, and less than may wait in all.
    for _ in 0..100 {
        silence.ada_sends().await;
    }
    soon(silence.blocked.notified()).await;
    // So much waits now that the session is not asked for more.
    for _ in 0..100 {
        silence.ada_sends().await;
    }
    assert!(!silence.connection.is_finished());
    silence.talk.bo_is_logged_out();
    assert_eq!(silence.ends().await, 4501);
}
