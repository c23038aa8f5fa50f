use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Line;

/// A TCP connection to which others write, too.
#[derive(Debug)]
pub(in super::super) struct LineStream {
    /// What was read before the connection came here.
    early: Bytes,
    line: Arc<Line>,
}

impl LineStream {
    pub(in super::super) fn new(stream: TcpStream, early: Bytes) -> Self {
        // The codec gathers what belongs together. A connection for which this fails is at its end.
        let _ = stream.set_nodelay(true);
        // Even an empty part keeps the HTTP server's whole buffer.
        let kept = Bytes::copy_from_slice(&early);
        drop(early);
        Self { early: kept, line: Arc::new(Line::new(stream)) }
    }

    pub(in super::super) fn line(&self) -> Arc<Line> {
        Arc::clone(&self.line)
    }
}

impl Drop for LineStream {
    fn drop(&mut self) {
        // Others may keep the line for a moment longer.
        self.line.end();
    }
}

impl AsyncRead for LineStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return self.line.poll_read(cx, buffer);
        }
        let count = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early[..count]);
        self.early.advance(count);
        if self.early.is_empty() {
            self.early = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LineStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.line.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.poll_shutdown(cx)
    }
}
