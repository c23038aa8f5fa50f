//! Writing to a TCP connection past its task.
//!
//! Two write to one socket: the codec, for the connection's task, and whoever delivers an event to
//! the session. A [`Line`] keeps their bytes apart by one lock and these rules:
//!
//! * Nothing is written directly while the task has something to write, or anything of the codec's
//!   is under way.
//! * What was begun directly and did not fit into the socket is finished before the codec writes.
//!   Where it stands is kept beside the socket, never in a future that may be dropped.
//! * When the connection is to be closed, whole frames that wait are dropped.

mod framing;
mod line;
mod stream;

pub(super) use framing::end_of_begun;
pub(super) use line::Line;
pub(super) use stream::LineStream;
