use std::future::Future;

use std::sync::Arc;

use bytes::Bytes;
use chat_core::direct::DirectWriter;
use chat_core::proto::CloseCode;
use chat_core::{Outgoing, Session};

use super::Closing;

/// A whole message from the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message. It is a part of the read buffer: copy what is kept.
    Binary(Bytes),
}

/// What a connection does next for its speaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Send these text messages in this order, all in one go. Each must be valid UTF-8.
    Text(Vec<Bytes>),
    /// Send these binary messages in this order, all in one go.
    Binary(Vec<Bytes>),
    /// Close the connection once all that was said before has been written. The speaker is dropped
    /// before the peer has answered.
    Finish(Closing),
    /// Close the connection at once: the peer has lost the right to what is left, or will never read
    /// it.
    Close(Closing),
}

/// What speaks over a connection: it takes messages, and says what is to be sent.
///
/// [`serve`](super::serve) owns the socket and asks the speaker in turn; the two never wait for
/// each other, so a speaker needs no locks and no tasks.
pub trait Speaker: Send {
    /// Takes a writer past [`next`](Self::next), where the connection has one: once, before anything
    /// else. Nothing need be done with it, which is the default.
    fn write_directly(&mut self, writer: Arc<dyn DirectWriter>) {
        drop(writer);
    }

    /// Takes one message. Answers come out of [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// A [`Closing`] with which the connection ends, such as [`Closing::UNSUPPORTED`].
    fn receive(&mut self, message: Incoming<'_>) -> Result<(), Closing>;

    /// Whether another message may come now. While this is false the socket is not read, and TCP
    /// makes the peer wait. It may turn true only when [`next`](Self::next) returns.
    fn wants_messages(&self) -> bool;

    /// Waits for the next thing to do. Must be safe to cancel: what has not been returned comes
    /// out of the next call.
    ///
    /// It is asked when all that was said before has been written. So what a speaker has begun must
    /// not depend on being asked: a peer that does not read would hold whatever it holds.
    fn next(&mut self) -> impl Future<Output = Turn> + Send;

    /// Waits until the connection is to end at once, whatever waits to be said. Asked while a write
    /// is blocked, when [`next`](Self::next) is not. Must be safe to cancel.
    ///
    /// A speaker that has nothing to say about it waits for ever, which is the default.
    fn ended(&mut self) -> impl Future<Output = Closing> + Send {
        std::future::pending()
    }
}

/// A session speaks the protocol `chat.v1`: text only.
impl Speaker for Session {
    fn write_directly(&mut self, writer: Arc<dyn DirectWriter>) {
        Self::write_directly(self, writer);
    }

    fn receive(&mut self, message: Incoming<'_>) -> Result<(), Closing> {
        match message {
            Incoming::Text(text) => {
                Self::receive(self, text);
                Ok(())
            }
            Incoming::Binary(_) => Err(Closing::UNSUPPORTED),
        }
    }

    fn wants_messages(&self) -> bool {
        self.wants_frames()
    }

    async fn next(&mut self) -> Turn {
        Self::next(self).await.into()
    }

    async fn ended(&mut self) -> Closing {
        Self::ended(self).await.into()
    }
}

impl From<Outgoing> for Turn {
    fn from(outgoing: Outgoing) -> Self {
        match outgoing {
            Outgoing::Frames(frames) => Self::Text(frames),
            // Who drains still answers what it was asked.
            Outgoing::Close(code @ CloseCode::Draining) => Self::Finish(code.into()),
            Outgoing::Close(code) => Self::Close(code.into()),
        }
    }
}
