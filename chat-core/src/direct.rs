//! Writing to a device without waking its session's task.
//!
//! What a message to a room costs is mostly the waking of every receiver's task. A transport that
//! can write without waiting gives its session a [`DirectWriter`]. While the session has nothing in
//! hand, whoever delivers an event hands it to the writer at once; whenever anything waits, or the
//! writer refuses, the event goes by [`Session::next`](crate::Session::next) as ever. The order in
//! which a device is told of things is the same either way.

use std::any::TypeId;
use std::cell::{Cell, OnceCell};
use std::fmt::Debug;

use bytes::Bytes;

use crate::hub::Delivery;

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

    /// Drops of what it took all frames of which nothing has been written: the device has lost the
    /// right to them. Called as [`try_write`](Self::try_write) is.
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
}

impl<'a> Batch<'a> {
    pub(crate) const fn new(delivery: &'a Delivery) -> Self {
        Self { delivery, encoded: OnceCell::new(), writes: Cell::new(0) }
    }

    pub(crate) const fn delivery(&self) -> &'a Delivery {
        self.delivery
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
    pub fn encoded<F: Framing>(&self) -> Bytes {
        let encode = || F::encode(self.delivery.frames().iter().map(crate::hub::Frame::text));
        let (framing, bytes) = self.encoded.get_or_init(|| (TypeId::of::<F>(), encode()));
        // Of several transports in one process all but the first encode for each device.
        if *framing == TypeId::of::<F>() { bytes.clone() } else { encode() }
    }
}
