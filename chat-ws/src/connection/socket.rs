use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::chunks::Chunks;
use super::closing::CLOSE_FRAME_PATIENCE;
use super::meter::Meter;
use super::outlet::Outlet;
use super::scanner::{MessageBounds, Violation};
use super::{Closing, ConnectionConfig, Ending};

/// Bytes read at once. The codec zeroes its buffer before every read, and keeps it for as long as
/// the connection lives, so the default of 128 KiB would cost more than all the rest. Most commands
/// are smaller than this, and larger ones come in several reads.
const READ_BUFFER: usize = 512;
/// Bytes that the codec gathers before it writes them: its own control frames only.
const WRITE_BUFFER: usize = 1024;
/// The most bytes that the codec holds for a peer that does not read.
const MAX_WRITE_BUFFER: usize = 4 * 1024;

/// What came in.
#[derive(Debug)]
pub(super) enum Received {
    /// A whole message.
    Message(Message),
    /// The beginning of one: its clock has started.
    Beginning,
    /// The stream is over.
    Over(Ending),
}

/// What goes out.
#[derive(Debug)]
pub(super) enum Output {
    /// Messages of one kind, in this order.
    Messages(Data, Vec<Bytes>),
    Ping,
    /// What is under way already: the codec's own answer to a ping, and direct writes.
    Queued,
}

/// The server's end of a WebSocket: the codec, the meter below it, and below that the outlet, by
/// which messages go out past the codec.
#[derive(Debug)]
pub(super) struct Socket<S> {
    codec: WebSocketStream<Meter<Outlet<S>>>,
    write_timeout: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket<S> {
    pub(super) async fn new(stream: S, config: &ConnectionConfig) -> Self {
        let bounds =
            MessageBounds { bytes: config.message_bytes as u64, fragments: config.fragments };
        let codec = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_write_buffer_size(MAX_WRITE_BUFFER)
            .max_message_size(Some(config.message_bytes))
            .max_frame_size(Some(config.message_bytes))
            .accept_unmasked_frames(false);
        let stream = Meter::new(Outlet::new(stream), bounds);
        Self {
            codec: WebSocketStream::from_raw_socket(stream, Role::Server, Some(codec)).await,
            write_timeout: config.write_timeout,
        }
    }

    /// Since when a message has been incomplete.
    pub(super) fn assembling_since(&self) -> Option<Instant> {
        self.codec.get_ref().assembling_since()
    }

    /// How many frames came since this was last asked.
    pub(super) fn new_frames(&mut self) -> u64 {
        self.codec.get_mut().new_frames()
    }

    /// Waits for a message, or the beginning of one. Safe to cancel.
    pub(super) async fn receive(&mut self) -> Received {
        let known = self.assembling_since();
        poll_fn(|cx| match self.codec.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(message))) => Poll::Ready(Received::Message(message)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Received::Over(ending(&error))),
            Poll::Ready(None) => Poll::Ready(Received::Over(Ending::Lost)),
            Poll::Pending => {
                let since = self.codec.get_ref().assembling_since();
                if since.is_some() && since != known {
                    Poll::Ready(Received::Beginning)
                } else {
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Writes, and flushes once. When cancelled, a part may have been written, which is finished before
    /// anything else unless it is [dropped](Self::drop_unbegun).
    pub(super) async fn write(&mut self, output: Output) -> Result<(), Ending> {
        match output {
            Output::Messages(kind, messages) => {
                // What the codec has begun comes first.
                self.flush().await?;
                for frames in Chunks::new(kind, messages) {
                    self.codec.get_mut().stream().put(frames);
                    self.flush().await?;
                }
                return Ok(());
            }
            Output::Ping => {
                let ping = Message::Ping(Bytes::new());
                within(self.write_timeout, self.codec.feed(ping)).await?;
            }
            Output::Queued => {}
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Ending> {
        within(self.write_timeout, self.codec.flush()).await
    }

    /// Drops of what was being written the frames that were not begun.
    pub(super) fn drop_unbegun(&mut self) {
        self.codec.get_mut().stream().drop_unbegun();
    }

    /// Answers the peer's close frame and ends the stream.
    pub(super) async fn answer_close(&mut self) {
        let answered = timeout(CLOSE_FRAME_PATIENCE, async {
            while let Some(Ok(_)) = self.codec.next().await {}
        });
        if answered.await.is_ok() {
            let _ = timeout(CLOSE_FRAME_PATIENCE, self.codec.get_mut().shutdown()).await;
        }
    }

    /// Sends a close frame, which may take so long to be written, waits so long for the answer, and
    /// ends the stream.
    pub(super) async fn close(&mut self, closing: Closing, writing: Duration, patience: Duration) {
        if !self.say_goodbye(closing, writing).await {
            return;
        }
        let _ =
            timeout(patience, async { while let Some(Ok(_)) = self.codec.next().await {} }).await;
        let _ = timeout(CLOSE_FRAME_PATIENCE, self.codec.get_mut().shutdown()).await;
    }

    /// Sends a close frame to a peer whose bytes make no sense any more, and ends the stream.
    ///
    /// The peer may still be sending. A socket that is dropped with unread bytes is reset, and the
    /// reset overtakes the close frame, so the bytes are read and thrown away for a while.
    pub(super) async fn abort(&mut self, closing: Closing, patience: Duration) {
        if !self.say_goodbye(closing, CLOSE_FRAME_PATIENCE).await {
            return;
        }
        let meter = self.codec.get_mut();
        meter.open();
        let _ = timeout(patience, async {
            meter.shutdown().await?;
            let mut waste = [0; 1024];
            while meter.read(&mut waste).await? > 0 {}
            io::Result::Ok(())
        })
        .await;
    }

    async fn say_goodbye(&mut self, closing: Closing, patience: Duration) -> bool {
        let close = self.codec.send(Message::Close(Some(closing.frame())));
        matches!(timeout(patience, close).await, Ok(Ok(())))
    }
}

/// Waits for one step of writing, of one of the [`Chunks`] at most.
async fn within(
    patience: Duration,
    step: impl Future<Output = Result<(), Error>>,
) -> Result<(), Ending> {
    match timeout(patience, step).await {
        Ok(written) => written.map_err(|error| ending(&error)),
        Err(_) => Err(Ending::Stuck),
    }
}

/// What an error of the codec means for the connection.
fn ending(error: &Error) -> Ending {
    match error {
        Error::Io(error) => {
            match error.get_ref().and_then(|cause| cause.downcast_ref::<Violation>()) {
                Some(Violation::TooLarge) => Ending::Fault(Closing::TOO_LARGE),
                Some(Violation::TooManyFragments) => Ending::Fault(Closing::TOO_MANY_FRAGMENTS),
                None => Ending::Lost,
            }
        }
        Error::Capacity(_) => Ending::Fault(Closing::TOO_LARGE),
        Error::Utf8(_) => Ending::Fault(Closing::NOT_UTF8),
        Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing,
        ) => Ending::Lost,
        Error::Protocol(_) | Error::AttackAttempt => Ending::Fault(Closing::PROTOCOL),
        _ => Ending::Lost,
    }
}
