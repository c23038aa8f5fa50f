use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::direct::end_of_begun;

/// A stream below the codec that also takes frames which are ready to be written.
///
/// The codec would copy them into a buffer of its own, which it keeps at its largest for as long
/// as the connection lives: more than all else that an idle connection needs. How much of them is
/// written is kept here and not in a future, which might be dropped.
#[derive(Debug)]
pub(super) struct Outlet<S> {
    stream: S,
    /// What is to be written before anything of the codec's.
    frames: Bytes,
    /// How many bytes of it are.
    written: usize,
}

impl<S> Outlet<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, frames: Bytes::new(), written: 0 }
    }

    /// Takes whole frames, to be written by the next flush. Those before, and whatever the codec
    /// has begun, must be flushed already.
    pub(super) fn put(&mut self, frames: Bytes) {
        debug_assert!(self.frames.is_empty(), "frames were put before others were flushed");
        self.frames = frames;
    }

    /// Drops the frames of which nothing has been written.
    pub(super) fn drop_unbegun(&mut self) {
        self.frames.truncate(end_of_begun(&self.frames, self.written));
    }
}

impl<S: AsyncWrite + Unpin> Outlet<S> {
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.frames.len() {
            let Self { stream, frames, written } = self;
            let more = ready!(Pin::new(stream).poll_write(cx, &frames[*written..]))?;
            if more == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *written += more;
        }
        (self.frames, self.written) = (Bytes::new(), 0);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Outlet<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Outlet<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_finish(cx))?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_finish(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_finish(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn frames_come_before_what_is_written_after_them_even_if_a_flush_is_given_up() {
        let (mut peer, stream) = duplex(4);
        let mut outlet = Outlet::new(stream);
        outlet.put(Bytes::from_static(b"whole frames"));
        let flushed = outlet.flush().now_or_never();
        assert!(flushed.is_none(), "the stream has room for a part only");
        let writing = async {
            outlet.write_all(b", then others").await.unwrap();
            outlet.shutdown().await.unwrap();
        };
        let mut read = String::new();
        let ((), all) = tokio::join!(writing, peer.read_to_string(&mut read));
        all.unwrap();
        assert_eq!(read, "whole frames, then others");
    }
}
