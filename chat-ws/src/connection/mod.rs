//! One connection: the loop between a socket and whatever speaks over it.

mod chunks;
mod closing;
mod config;
mod direct;
mod heart;
mod meter;
mod outlet;
mod pace;
mod scanner;
mod socket;
mod speaker;

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_core::proto::CloseCode;
use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use self::closing::{CLOSE_FRAME_PATIENCE, Ending, SLOW, SLOW_CLOSE_PATIENCE};
use self::direct::{Line, LineStream};
use self::heart::{Beat, Heart};
use self::pace::Pace;
use self::socket::{Output, Received, Socket};

pub use self::closing::{Closing, Ended};
pub use self::config::ConnectionConfig;
pub use self::speaker::{Incoming, Speaker, Turn};

/// Runs a WebSocket connection, after its handshake, until it ends.
///
/// `stream` is the upgraded stream: [`TokioIo`](hyper_util::rt::TokioIo) around what hyper's
/// upgrade gives, or any stream in a test. One call is one task: it reads, writes, pings and keeps
/// to the limits, and it needs nothing else to run. When `cut` is cancelled the connection ends
/// with the close code for a restart.
///
/// A [`Session`](chat_core::Session) is a speaker, and so is whatever implements [`Speaker`].
pub fn serve<S, P>(
    stream: S,
    speaker: P,
    config: &ConnectionConfig,
    cut: &CancellationToken,
) -> impl Future<Output = Ended> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    P: Speaker,
{
    run(stream, None, speaker, config, cut)
}

/// The same over a TCP connection, of which `early` has been read already: events can then be
/// [written directly](chat_core::direct).
///
/// Must be called inside a tokio runtime.
pub fn serve_tcp<P: Speaker>(
    stream: TcpStream,
    early: Bytes,
    mut speaker: P,
    config: &ConnectionConfig,
    cut: &CancellationToken,
) -> impl Future<Output = Ended> + Send {
    let stream = LineStream::new(stream, early);
    let line = stream.line();
    speaker.write_directly(Arc::clone(&line) as _);
    run(stream, Some(line), speaker, config, cut)
}

#[allow(clippy::manual_async_fn, reason = "that would keep room for its arguments twice")]
fn run<S, P>(
    stream: S,
    line: Option<Arc<Line>>,
    mut speaker: P,
    config: &ConnectionConfig,
    cut: &CancellationToken,
) -> impl Future<Output = Ended> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    P: Speaker,
{
    // What is awaited only at the beginning, at the end, or for a moment between is boxed: its room
    // would be kept for as long as the connection is idle.
    let opening = Box::pin(Socket::new(stream, config));
    async move {
        let mut connection = Connection::new(opening.await, line, config);
        let alarm = pin!(sleep_until(connection.heart.deadline(true)));
        let cut = pin!(cut.cancelled());
        let ending = connection.run(&mut speaker, alarm, cut).await;
        drop(speaker);
        Box::pin(connection.end(ending)).await
    }
}

/// What happened.
enum Happening {
    Turn(Turn),
    Received(Received),
    Alarm,
    /// A direct write was begun that is to be finished.
    Begun,
}

struct Connection<'a, S> {
    socket: Socket<S>,
    /// What events are written to directly, where that is possible.
    line: Option<Arc<Line>>,
    config: &'a ConnectionConfig,
    heart: Heart,
    pace: Pace,
    /// Since when the socket has not been read: while something was written or worked on, and for
    /// as long as the speaker or the pace forbids it.
    deaf_since: Option<Instant>,
    /// Since when the message that is now incomplete has been so.
    assembling_since: Option<Instant>,
    /// For how long the socket was not read since then.
    deaf_while_assembling: Duration,
}

type Cut<'a, 'b> = Pin<&'a mut WaitForCancellationFuture<'b>>;

impl<'a, S: AsyncRead + AsyncWrite + Unpin + Send> Connection<'a, S> {
    fn new(socket: Socket<S>, line: Option<Arc<Line>>, config: &'a ConnectionConfig) -> Self {
        let now = Instant::now();
        let interval = Duration::from_millis(config.heartbeat.ping_interval_ms);
        let patience = Duration::from_millis(config.heartbeat.pong_timeout_ms);
        Self {
            socket,
            line,
            config,
            heart: Heart::new(interval, patience, random_fraction(), now),
            pace: Pace::new(config.frames_per_second, config.frame_burst, now),
            deaf_since: None,
            assembling_since: None,
            deaf_while_assembling: Duration::ZERO,
        }
    }

    #[allow(clippy::manual_async_fn, reason = "that would keep room for its arguments twice")]
    fn run<P: Speaker>(
        &mut self,
        speaker: &mut P,
        mut alarm: Pin<&mut Sleep>,
        mut cut: Cut<'_, '_>,
    ) -> impl Future<Output = Ending> + Send {
        async move {
            loop {
                let is_listening = self.get_ready(speaker.wants_messages(), alarm.as_mut());
                let happening = tokio::select! {
                    turn = speaker.next() => Happening::Turn(turn),
                    received = self.socket.receive(), if is_listening => Happening::Received(received),
                    () = &mut alarm => Happening::Alarm,
                    () = begun(self.line.as_deref()) => Happening::Begun,
                    () = &mut cut => return Ending::Close(CloseCode::Draining.into()),
                };
                self.let_write(false);
                self.deaf_since.get_or_insert_with(Instant::now);
                let output = match happening {
                    Happening::Turn(Turn::Finish(closing)) => {
                        // What was said before includes what was begun directly.
                        let flushed = self.write(Output::Queued, speaker, cut.as_mut()).await;
                        Err(flushed.err().unwrap_or(Ending::Close(closing)))
                    }
                    Happening::Turn(turn) => speak(turn),
                    Happening::Received(received) => self.listen(received, speaker),
                    Happening::Alarm => self.check(is_listening),
                    Happening::Begun => Ok(Some(Output::Queued)),
                };
                let written = match output {
                    Ok(None) => Ok(()),
                    Ok(Some(output)) => self.write(output, speaker, cut.as_mut()).await,
                    Err(ending) => Err(ending),
                };
                if let Err(ending) = written {
                    return ending;
                }
            }
        }
    }

    /// Sets everything for the next thing to happen; returns whether the socket is read meanwhile.
    fn get_ready(&mut self, is_wanted: bool, alarm: Pin<&mut Sleep>) -> bool {
        let now = Instant::now();
        let pause = self.pace.blocked_until(now);
        let is_listening = pause.is_none() && is_wanted;
        self.note_listening(is_listening, now);
        let deadline = self.deadline(is_listening, pause);
        if alarm.deadline() != deadline {
            alarm.reset(deadline);
        }
        self.let_write(true);
        is_listening
    }

    /// Waits for a write, which does not last for ever. Meanwhile the speaker is asked for its end only:
    /// what it has to say it keeps, within bounds of its own.
    async fn write<P: Speaker>(
        &mut self,
        output: Output,
        speaker: &mut P,
        cut: Cut<'_, '_>,
    ) -> Result<(), Ending> {
        let mut write = Box::pin(self.socket.write(output));
        // Most writes need not wait, and then nobody need be asked.
        if let Some(written) = (&mut write).now_or_never() {
            return written;
        }
        let waiting = async {
            tokio::select! {
                biased;
                written = write => written,
                () = cut => Err(Ending::Close(CloseCode::Draining.into())),
                closing = speaker.ended() => Err(Ending::Close(closing)),
            }
        };
        Box::pin(waiting).await
    }

    /// Says whether events may be written directly: not while anything is to be written here.
    fn let_write(&self, is_free: bool) {
        if let Some(line) = &self.line {
            line.set_free(is_free);
        }
    }

    /// What the peer says goes to the speaker.
    fn listen<P: Speaker>(
        &mut self,
        received: Received,
        speaker: &mut P,
    ) -> Result<Option<Output>, Ending> {
        let message = match received {
            Received::Message(message) => message,
            Received::Beginning => return Ok(None),
            Received::Over(ending) => return Err(ending),
        };
        self.heart.heard();
        self.pace.spend(self.socket.new_frames(), Instant::now());
        let received = match message {
            Message::Text(text) => speaker.receive(Incoming::Text(&text)),
            Message::Binary(data) => speaker.receive(Incoming::Binary(data)),
            // The codec has queued the pong. Nothing is read before it is written, so that pongs
            // for a peer that does not read never pile up.
            Message::Ping(_) => return Ok(Some(Output::Queued)),
            Message::Close(frame) => {
                return Err(Ending::Peer(frame.map(|frame| frame.code.into())));
            }
            Message::Pong(_) | Message::Frame(_) => Ok(()),
        };
        received.map(|()| None).map_err(Ending::Close)
    }

    /// Some deadline may have passed.
    fn check(&mut self, is_listening: bool) -> Result<Option<Output>, Ending> {
        let now = Instant::now();
        if is_listening && self.assembly_deadline().is_some_and(|deadline| now >= deadline) {
            return Err(Ending::Fault(Closing::ASSEMBLY));
        }
        match self.heart.beat(is_listening, now) {
            Beat::Rest => Ok(None),
            Beat::Ping => Ok(Some(Output::Ping)),
            Beat::Stop => Err(Ending::Close(CloseCode::HeartbeatTimeout.into())),
        }
    }

    /// A peer that is not listened to cannot be late.
    fn note_listening(&mut self, is_listening: bool, now: Instant) {
        let assembling_since = self.socket.assembling_since();
        if self.assembling_since != assembling_since {
            self.assembling_since = assembling_since;
            self.deaf_while_assembling = Duration::ZERO;
        }
        if !is_listening {
            self.deaf_since.get_or_insert(now);
        } else if let Some(since) = self.deaf_since.take() {
            let deaf = now.saturating_duration_since(since);
            self.heart.excuse(deaf);
            self.deaf_while_assembling += deaf;
        }
    }

    fn assembly_deadline(&self) -> Option<Instant> {
        let since = self.socket.assembling_since()?;
        Some(since + self.config.assembly_timeout + self.deaf_while_assembling)
    }

    fn deadline(&self, is_listening: bool, pause: Option<Instant>) -> Instant {
        let assembly = self.assembly_deadline().filter(|_| is_listening);
        let heart = self.heart.deadline(is_listening);
        [assembly, pause].into_iter().flatten().fold(heart, Instant::min)
    }

    /// Says goodbye, as far as there is somebody to hear it.
    async fn end(&mut self, ending: Ending) -> Ended {
        // Whatever had to be said before is written. The peer may have lost the right to the rest.
        self.socket.drop_unbegun();
        if let Some(line) = &self.line {
            line.cut();
        }
        let patience = self.config.close_timeout;
        match ending {
            Ending::Peer(code) => {
                self.socket.answer_close().await;
                Ended::ByPeer(code)
            }
            // Who reads slowly reads what is on its way before the close frame.
            Ending::Close(closing) if closing == SLOW => {
                let writing = self.config.write_timeout.min(SLOW_CLOSE_PATIENCE);
                self.socket.close(closing, writing, patience.max(writing)).await;
                Ended::ByServer(closing)
            }
            Ending::Close(closing) => {
                self.socket.close(closing, CLOSE_FRAME_PATIENCE, patience).await;
                Ended::ByServer(closing)
            }
            // That time is over, but nothing of the frame has been tried yet.
            Ending::Stuck => {
                self.socket.close(SLOW, CLOSE_FRAME_PATIENCE, patience).await;
                Ended::ByServer(SLOW)
            }
            Ending::Fault(closing) => {
                self.socket.abort(closing, patience).await;
                Ended::ByServer(closing)
            }
            Ending::Lost => Ended::Lost,
        }
    }
}

/// Waits until a direct write is to be finished. Safe to cancel.
async fn begun(line: Option<&Line>) {
    match line {
        Some(line) => line.begun().await,
        None => std::future::pending().await,
    }
}

/// What the speaker says goes to the peer.
fn speak(turn: Turn) -> Result<Option<Output>, Ending> {
    match turn {
        Turn::Text(messages) => Ok(Some(Output::Messages(Data::Text, messages))),
        Turn::Binary(messages) => Ok(Some(Output::Messages(Data::Binary, messages))),
        Turn::Finish(closing) | Turn::Close(closing) => Err(Ending::Close(closing)),
    }
}

/// A number from 0 to 1 that differs from connection to connection. It keeps no secret.
fn random_fraction() -> f64 {
    let random = RandomState::new().hash_one(0_u8) >> 11;
    random as f64 / (1_u64 << 53) as f64
}
