use std::vec;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// Bytes from which on no further message is added to a chunk.
const FULL: usize = 4 * 1024;
/// The most payload of one frame; longer messages go out in fragments.
const FRAGMENT: usize = 32 * 1024;

/// Messages as the frames of a server, gathered into chunks that are written step by step: each has
/// whole frames only, and about [`FRAGMENT`] bytes at most.
#[derive(Debug)]
pub(super) struct Chunks {
    messages: vec::IntoIter<Bytes>,
    /// What the next frame is, if it begins a message.
    kind: Data,
    /// What is left of a message that was begun.
    rest: Option<Bytes>,
}

impl Chunks {
    /// Messages of one kind, in this order.
    pub(super) fn new(kind: Data, messages: Vec<Bytes>) -> Self {
        Self { messages: messages.into_iter(), kind, rest: None }
    }

    fn next_frame(&mut self) -> Option<Frame> {
        let (opcode, mut message) = match self.rest.take() {
            Some(rest) => (Data::Continue, rest),
            None => (self.kind, self.messages.next()?),
        };
        let payload = message.split_to(message.len().min(FRAGMENT));
        let is_last = message.is_empty();
        self.rest = (!is_last).then_some(message);
        Some(Frame::message(payload, OpCode::Data(opcode), is_last))
    }
}

impl Iterator for Chunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut chunk = Vec::new();
        while chunk.len() < FULL
            && let Some(frame) = self.next_frame()
        {
            chunk.reserve(frame.len());
            // Nothing fails that is written to a vector.
            let _ = frame.format(&mut chunk);
        }
        (!chunk.is_empty()).then(|| chunk.into())
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};

    use super::*;

    #[test]
    fn a_codec_reads_every_message_whole_and_in_order() {
        let lengths = [0, 1, 125, 126, 5_000, FRAGMENT, FRAGMENT + 1, 3 * FRAGMENT, 7];
        let texts: Vec<_> = lengths.iter().map(|length| "x".repeat(*length)).collect();
        let messages = texts.iter().map(|text| Bytes::from(text.clone())).collect();
        let chunks: Vec<_> = Chunks::new(Data::Text, messages).collect();
        assert!(chunks.iter().all(|chunk| chunk.len() < FULL + FRAGMENT + 10));
        let stream = std::io::Cursor::new(chunks.concat());
        let mut peer = WebSocket::from_raw_socket(stream, Role::Client, None);
        for text in texts {
            assert_eq!(peer.read().unwrap(), Message::text(text));
        }
    }

    #[test]
    fn small_messages_share_a_chunk() {
        let messages = vec![Bytes::from_static(b"small"); 100];
        assert_eq!(Chunks::new(Data::Text, messages).count(), 1);
        assert_eq!(Chunks::new(Data::Text, Vec::new()).count(), 0);
    }
}
