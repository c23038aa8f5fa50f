use bytes::{BufMut, Bytes, BytesMut};
use chat_core::direct::Framing;

/// The most bytes of a header that this side writes.
const HEADER: usize = 10;
/// The header's first byte of a text message in one frame.
const WHOLE_TEXT: u8 = 0x81;

/// Text messages as the frames of a server: unmasked, each in one frame (RFC 6455 §5.2).
#[derive(Debug)]
pub(super) struct TextFrames;

impl Framing for TextFrames {
    fn encode<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Bytes {
        let mut bytes = BytesMut::new();
        for text in texts {
            bytes.reserve(HEADER + text.len());
            bytes.put_u8(WHOLE_TEXT);
            match text.len() {
                length @ 0..126 => bytes.put_u8(length as u8),
                length @ 126..=0xFFFF => {
                    bytes.put_u8(126);
                    bytes.put_u16(length as u16);
                }
                length => {
                    bytes.put_u8(127);
                    bytes.put_u64(length as u64);
                }
            }
            bytes.put_slice(text);
        }
        bytes.freeze()
    }
}

/// Where the frame ends that was begun when `written` bytes of these frames were: at `written`, if
/// that is the end of one.
pub(in super::super) fn end_of_begun(frames: &[u8], written: usize) -> usize {
    let mut end = 0;
    while end < written {
        let rest = &frames[end..];
        let (header, length) = match rest[1] {
            126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
            127 => (10, rest[2..10].iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte))),
            length => (2, usize::from(length)),
        };
        end += header + length;
    }
    end
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};

    use super::*;

    #[test]
    fn a_codec_reads_what_was_framed() {
        let texts: Vec<_> =
            [0, 1, 125, 126, 127, 0xFFFF, 0x1_0000].iter().map(|n| "x".repeat(*n)).collect();
        let bytes = TextFrames::encode(texts.iter().map(String::as_bytes));
        let stream = std::io::Cursor::new(bytes.to_vec());
        let mut peer = WebSocket::from_raw_socket(stream, Role::Client, None);
        for text in texts {
            assert_eq!(peer.read().unwrap(), Message::text(text));
        }
    }

    #[test]
    fn the_frame_that_was_begun_is_found() {
        let texts = ["a".repeat(10), "b".repeat(200), "c".repeat(70_000)];
        let frames = TextFrames::encode(texts.iter().map(String::as_bytes));
        let ends = [12, 12 + 204, 12 + 204 + 70_010];
        assert_eq!(frames.len(), ends[2]);
        for (written, end) in
            [(0, 0), (1, ends[0]), (12, ends[0]), (13, ends[1]), (217, ends[2]), (ends[2], ends[2])]
        {
            assert_eq!(end_of_begun(&frames, written), end, "{written}");
        }
    }
}
