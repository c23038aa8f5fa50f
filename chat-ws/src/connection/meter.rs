use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::scanner::{FrameScanner, MessageBounds, Violation};

/// A stream whose incoming bytes are scanned on their way to the codec.
///
/// A broken bound comes out as an [`io::Error`] that wraps the [`Violation`], after all that was
/// received before the offending frame has been handed on.
#[derive(Debug)]
pub(super) struct Meter<S> {
    stream: S,
    scanner: FrameScanner,
    violation: Option<Violation>,
    /// When the first byte of the frame or message that is now incomplete came.
    assembling_since: Option<Instant>,
    /// Frames that have been told by [`Meter::new_frames`].
    frames_told: u64,
    /// Whether incoming bytes are passed on unseen.
    is_open: bool,
}

impl<S> Meter<S> {
    pub(super) const fn new(stream: S, bounds: MessageBounds) -> Self {
        Self {
            stream,
            scanner: FrameScanner::new(bounds),
            violation: None,
            assembling_since: None,
            frames_told: 0,
            is_open: false,
        }
    }

    /// Since when a message, or a frame of any kind, has been incomplete.
    pub(super) const fn assembling_since(&self) -> Option<Instant> {
        self.assembling_since
    }

    /// How many frames came since this was last asked. Frames count when their header is read,
    /// which is a little before their message is.
    pub(super) const fn new_frames(&mut self) -> u64 {
        let frames = self.scanner.frames();
        let new = frames - self.frames_told;
        self.frames_told = frames;
        new
    }

    /// The stream below.
    pub(super) const fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Passes bytes on unseen from now on.
    pub(super) const fn open(&mut self) {
        self.is_open = true;
    }

    /// Looks at the bytes that have just been read, and returns how many may be handed on.
    fn inspect(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        let boundaries = self.scanner.boundaries();
        let sound = match self.scanner.scan(bytes) {
            Ok(()) => bytes.len(),
            Err(broken) => {
                self.violation = Some(broken.violation);
                if broken.sound == 0 {
                    return Err(broken.violation);
                }
                broken.sound
            }
        };
        if self.scanner.is_idle() {
            self.assembling_since = None;
        } else if self.assembling_since.is_none() || self.scanner.boundaries() != boundaries {
            self.assembling_since = Some(Instant::now());
        }
        Ok(sound)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Meter<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_open {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        if let Some(violation) = self.violation {
            return Poll::Ready(Err(io::Error::other(violation)));
        }
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = &buffer.filled()[before..];
        Poll::Ready(match self.inspect(read) {
            Ok(sound) => {
                buffer.set_filled(before + sound);
                Ok(())
            }
            Err(violation) => Err(io::Error::other(violation)),
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Meter<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const BOUNDS: MessageBounds = MessageBounds { bytes: 100, fragments: 2 };

    #[tokio::test]
    async fn sound_frames_are_handed_on_before_the_violation() {
        let (mut client, server) = duplex(1024);
        let mut meter = Meter::new(server, BOUNDS);
        client.write_all(&[0x81, 0x01, b'a', 0x81, 126, 0, 200]).await.unwrap();
        let mut bytes = [0; 64];
        assert_eq!(meter.read(&mut bytes).await.unwrap(), 3);
        let error = meter.read(&mut bytes).await.unwrap_err();
        let violation = error.get_ref().and_then(|e| e.downcast_ref::<Violation>());
        assert_eq!(violation, Some(&Violation::TooLarge));
        assert_eq!(meter.new_frames(), 2);
        assert_eq!(meter.new_frames(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_of_a_message_starts_with_its_first_byte() {
        let (mut client, server) = duplex(1024);
        let mut meter = Meter::new(server, BOUNDS);
        let mut bytes = [0; 64];
        let start = Instant::now();
        client.write_all(&[0x01]).await.unwrap();
        assert_eq!(meter.read(&mut bytes).await.unwrap(), 1);
        assert_eq!(meter.assembling_since(), Some(start));
        tokio::time::advance(Duration::from_secs(1)).await;
        client.write_all(&[0x01, b'a']).await.unwrap();
        assert_eq!(meter.read(&mut bytes).await.unwrap(), 2);
        assert_eq!(meter.assembling_since(), Some(start), "the message is still open");
        client.write_all(&[0x80, 0x00, 0x81]).await.unwrap();
        assert_eq!(meter.read(&mut bytes).await.unwrap(), 3);
        assert_eq!(meter.assembling_since(), Some(Instant::now()), "another has begun");
        client.write_all(&[0x00]).await.unwrap();
        assert_eq!(meter.read(&mut bytes).await.unwrap(), 1);
        assert_eq!(meter.assembling_since(), None);
    }
}
