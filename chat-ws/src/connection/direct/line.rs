use std::future::poll_fn;
use std::hint::black_box;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use chat_core::direct::{Batch, DirectWriter};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::framing::{TextFrames, end_of_begun};

/// The most bytes that are written directly at once: of more, a peer that reads slowly is to be
/// waited for step by step.
const MAX_BYTES: usize = 32 * 1024;

/// A connection, for the codec and for direct writes.
#[derive(Debug)]
pub(in super::super) struct Line {
    /// Kept small: in a large room each line is read from memory for each delivery. Held for one read
    /// or write that does not wait.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// None when the connection is over.
    stream: Option<TcpStream>,
    /// Whether the connection's task has nothing to write.
    is_free: bool,
    /// Whether the codec has written a part of what it has.
    is_midway: bool,
    /// What was begun directly and is to be finished.
    begun: Option<Box<Begun>>,
    /// Wakes the connection's task when there is such.
    finisher: Option<Waker>,
}

/// Frames that did not fit into the socket, and how many bytes of them are written.
#[derive(Debug)]
struct Begun {
    frames: Bytes,
    written: usize,
}

impl Line {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            state: Mutex::new(State {
                stream: Some(stream),
                is_free: false,
                is_midway: false,
                begun: None,
                finisher: None,
            }),
        }
    }

    /// Says whether the connection's task has nothing to write.
    pub(in super::super) fn set_free(&self, is_free: bool) {
        self.lock().is_free = is_free;
    }

    /// Waits until a direct write was begun that is to be finished by a flush. Safe to cancel.
    pub(in super::super) fn begun(&self) -> impl Future<Output = ()> {
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.begun.is_some() {
                return Poll::Ready(());
            }
            match &mut state.finisher {
                Some(finisher) => finisher.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
    }

    /// Lets nothing be written directly any more, and drops frames of which nothing is written.
    pub(in super::super) fn cut(&self) {
        self.set_free(false);
        self.drop_unbegun();
    }

    /// Closes the connection. Nothing more is written.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.is_free = false;
        state.stream = None;
        state.finisher = None;
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.lock().stream()?.poll_read(cx, buffer)
    }

    /// Writes for the codec, which offers all that it has each time.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        ready!(state.poll_finish(cx))?;
        let written = ready!(state.stream()?.poll_write(cx, bytes))?;
        state.is_midway = written < bytes.len();
        Poll::Ready(Ok(written))
    }

    /// Finishes what was begun directly.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_finish(cx)
    }

    pub(super) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.lock();
        ready!(state.poll_finish(cx))?;
        state.stream()?.poll_shutdown(cx)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DirectWriter for Line {
    fn try_write(&self, batch: &Batch<'_>) -> bool {
        if batch.bytes() > MAX_BYTES {
            return false;
        }
        let mut state = self.lock();
        if !state.is_free || state.is_midway || state.begun.is_some() {
            return false;
        }
        let Some(stream) = &state.stream else { return false };
        let frames = batch.encoded::<TextFrames>();
        match stream.try_write(&frames) {
            Ok(written) if written < frames.len() => {
                state.begun = Some(Box::new(Begun { frames: frames.into_owned(), written }));
                let finisher = state.finisher.take();
                drop(state);
                finisher.into_iter().for_each(Waker::wake);
                true
            }
            Ok(_) => true,
            // There is no room, or nobody: the connection's task finds out which.
            Err(_) => false,
        }
    }

    fn read_ahead(&self) {
        // Whatever it says: the lock and what it protects lie together.
        black_box(self.state.is_poisoned());
    }

    fn drop_unbegun(&self) {
        let mut state = self.lock();
        if let Some(Begun { frames, written }) = state.begun.as_deref_mut() {
            frames.truncate(end_of_begun(frames, *written));
        }
    }
}

impl State {
    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(Begun { frames, written }) = self.begun.as_deref_mut() else {
            return Poll::Ready(Ok(()));
        };
        while *written < frames.len() {
            let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
            let more = ready!(Pin::new(stream).poll_write(cx, &frames[*written..]))?;
            if more == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *written += more;
        }
        self.begun = None;
        Poll::Ready(Ok(()))
    }
}
