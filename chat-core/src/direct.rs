//! Writing to a device without waking its session's task.
//!
//! What a message to a room costs is mostly the waking of every receiver's task. A transport that
//! can write without waiting gives its session a [`DirectWriter`]. While the session has nothing in
//! hand, whoever delivers an event hands it to the writer at once; whenever anything waits, or the
//! writer refuses, the event goes by [`Session::next`](crate::Session::next) as ever. The order in
//! which a device is told of things is the same either way.

use std::any::TypeId;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::fmt::Debug;

use bytes::Bytes;
use chat_proto::ConversationId;
use tokio::time::Instant;

use crate::hub::{Delivery, Frame};

/// A connection that takes frames at once, past its session's task.
///
/// It shares the connection with what [`Session::next`](crate::Session::next) returns, so it must
/// refuse from when the transport has been given something until that is written to its last byte.
pub trait DirectWriter: Debug + Send + Sync + 'static {
    /// Takes all of the batch, or nothing of it. What it takes it may finish writing later, before
    /// anything else.
    ///
    /// It is called with locks held, from any task: it must neither wait nor call the engine.
    fn try_write(&self, batch: &Batch<'_>) -> bool;

    /// Reads from memory what [`try_write`](Self::try_write) will need, if that is of use: it is called
    /// for several connections before the first of them is written to. It takes no lock.
    fn read_ahead(&self) {}

    /// Drops of what it took all frames of which nothing has been written: the device has lost the
    /// right to them. It must neither wait nor call the engine.
    fn drop_unbegun(&self);
}

/// How a transport puts text frames on the wire.
pub trait Framing: 'static {
    /// These frames, in this order, as the bytes that are written.
    fn encode<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Bytes;
}

/// The most devices that one delivery is written to directly. The tasks of further ones are woken, so
/// that whoever delivers is not kept for long, and other threads help.
const MAX_WRITES: usize = 1_024;

/// Frames on their way to many devices.
#[derive(Debug)]
pub struct Batch<'a> {
    delivery: &'a Delivery,
    /// The frames as one transport writes them, and which.
    encoded: OnceCell<(TypeId, Bytes)>,
    /// To how many devices it has been written.
    writes: Cell<usize>,
    /// The first change that it tells, and when it began to be told: asked for each device.
    first: Option<(ConversationId, u64)>,
    now: Instant,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(delivery: &'a Delivery) -> Self {
        Self {
            delivery,
            encoded: OnceCell::new(),
            writes: Cell::new(0),
            first: delivery.frames().first().and_then(Frame::tells),
            now: Instant::now(),
        }
    }

    pub(crate) const fn delivery(&self) -> &'a Delivery {
        self.delivery
    }

    /// The first change that it tells, if it tells any.
    pub(crate) const fn first(&self) -> Option<(ConversationId, u64)> {
        self.first
    }

    /// When it began to be told.
    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    /// Has a connection write it, unless it has been written to enough.
    pub(crate) fn write_to(&self, writer: &dyn DirectWriter) -> bool {
        let writes = self.writes.get();
        if writes >= MAX_WRITES || !writer.try_write(self) {
            return false;
        }
        self.writes.set(writes + 1);
        true
    }

    /// Bytes of all frames together, without what a transport adds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.delivery.bytes()
    }

    /// The frames as a transport writes them, encoded for the first device that asks. Each frame is
    /// valid UTF-8.
    #[must_use]
    pub fn encoded<F: Framing>(&self) -> Cow<'_, Bytes> {
        let encode = || F::encode(self.delivery.frames().iter().map(Frame::text));
        let (framing, bytes) = self.encoded.get_or_init(|| (TypeId::of::<F>(), encode()));
        // Of several transports in one process all but the first encode for each device.
        if *framing == TypeId::of::<F>() { Cow::Borrowed(bytes) } else { Cow::Owned(encode()) }
    }
}
