//! What no server can do better: it accepts, answers the handshake, and from then on does nothing
//! for a message but to write it to every connection of the room, with bytes that were framed before
//! it came. One thread, one poll, no tasks, no timers, no JSON, no checks.

mod peer;
mod server;

use clap::{Args, ValueEnum};

use crate::Failure;

/// The ways to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Writing {
    /// Every delivery is a write of its own.
    Raw,
    /// The messages that have come together are joined, and written to each connection at once.
    Batching,
}

/// `chat-load limit`: serves at a free port of 127.0.0.1, and prints which.
#[derive(Debug, Args)]
pub(crate) struct Limit {
    /// How to write
    writing: Writing,
    /// Bytes of the frame that greets a connection
    #[arg(long, default_value_t = 600)]
    ready_bytes: usize,
    /// Bytes of the frame that a message is delivered in
    #[arg(long, default_value_t = 400)]
    event_bytes: usize,
}

impl Limit {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let ready = padded(r#"{"type":"session.ready","payload":""#, self.ready_bytes);
        let event = padded(r#"{"type":"message.created","payload":""#, self.event_bytes);
        server::serve(self.writing, &ready, &event)
    }
}

/// A framed text of so many bytes.
fn padded(beginning: &str, bytes: usize) -> Vec<u8> {
    let padding = "x".repeat(bytes.saturating_sub(beginning.len() + 2));
    let text = format!("{beginning}{padding}\"}}");
    [crate::client::header(text.len()), text.into_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_frame_has_the_length_that_was_asked_for() {
        let frame = padded(r#"{"type":"message.created","payload":""#, 400);
        assert_eq!(frame.len(), 4 + 400);
        assert!(frame.ends_with(b"\"}"));
    }
}
