use std::any::Any;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chat_ws::TcpBased;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::capacity::Place;
use super::keep_alive::{Exchanges, Phase};
use super::settings::ConnectionSettings;

/// A connection that keeps its place until it is closed, whoever owns it by then: an upgraded
/// connection leaves the HTTP server, but not the count.
///
/// A client that takes nothing of what is written to it would keep its place for ever, since HTTP
/// waits for it without an end. So a write that waits longer than allowed, with not one byte taken,
/// fails with [`io::ErrorKind::TimedOut`].
///
/// One that sends a request's head too slowly would keep its place as well: a read that waits for the
/// rest of it longer than allowed fails likewise. A connection that is idle for too long between two
/// requests ends as if the client had ended it.
#[derive(Debug)]
pub(super) struct GuardedStream {
    stream: TcpStream,
    write_timeout: Duration,
    header_timeout: Duration,
    exchanges: Arc<Exchanges>,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Runs while a read waits.
    awaited: Option<Pin<Box<Sleep>>>,
    place: Place,
}

impl GuardedStream {
    pub(super) const fn new(
        stream: TcpStream,
        place: Place,
        settings: &ConnectionSettings,
        exchanges: Arc<Exchanges>,
    ) -> Self {
        Self {
            stream,
            write_timeout: settings.write_timeout,
            header_timeout: settings.header_timeout,
            exchanges,
            stalled: None,
            awaited: None,
            place,
        }
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.get_mut().stream)
    }

    /// What became of a write, unless it has waited too long.
    fn in_time(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(self.write_timeout)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// What becomes of a read for which nothing is there, depending on how long that has been so.
    ///
    /// Who waits for an answer is looked after again later: once the connection is idle, nothing calls
    /// this anew, since a read is waiting already.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let idle_timeout = self.exchanges.idle_timeout();
        loop {
            let (phase, since) = self.exchanges.phase();
            let deadline = match phase {
                Phase::Head => since + self.header_timeout,
                Phase::Idle => since + idle_timeout,
                Phase::Answer => Instant::now() + idle_timeout,
            };
            let awaited = self.awaited.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if awaited.deadline() != deadline && (phase != Phase::Answer || awaited.is_elapsed()) {
                awaited.as_mut().reset(deadline);
            }
            ready!(awaited.as_mut().poll(context));
            match phase {
                Phase::Head => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Phase::Idle => return Poll::Ready(Ok(())),
                Phase::Answer => {}
            }
        }
    }
}

impl TcpBased for GuardedStream {
    /// What waits for a WebSocket client has a timeout of its own.
    fn into_tcp(self) -> (TcpStream, Box<dyn Any + Send>) {
        (self.stream, Box::new(self.place))
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.as_mut().stream().poll_read(context, buffer);
        if read.is_pending() {
            return self.wait(context);
        }
        if buffer.filled().len() > before && self.exchanges.phase().0 == Phase::Idle {
            self.exchanges.begin_head();
        }
        read
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.as_mut().stream().poll_write(context, bytes);
        self.in_time(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.as_mut().stream().poll_write_vectored(context, slices);
        self.in_time(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}
