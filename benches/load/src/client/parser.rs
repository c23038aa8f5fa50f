/// How much of a payload tells what it is.
const PREFIX: usize = 24;

/// What a frame is, as far as its first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// `message.created`: a delivery.
    Message = 1,
    /// The answer to a command that was carried out.
    Reply = 2,
    /// The answer to one that was refused.
    Error = 4,
    /// `session.ready`.
    Ready = 8,
    /// Any other text, or a part of one.
    Other = 16,
    /// A ping.
    Ping = 32,
    /// The end.
    Close = 64,
}

/// A frame that has come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    /// Bytes of the payload.
    pub(crate) length: usize,
    /// The payload, when frames of this kind are kept.
    pub(crate) payload: Option<Vec<u8>>,
}

/// Finds the frames in what is read from a connection, in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// The beginning of a frame that is not yet long enough to be told.
    head: Vec<u8>,
    /// The frame that is coming in.
    current: Option<Coming>,
}

#[derive(Debug)]
struct Coming {
    frame: Frame,
    /// Bytes that have yet to come.
    missing: usize,
}

/// The beginning of a frame.
struct Beginning {
    kind: Kind,
    header: usize,
    length: usize,
}

impl Parser {
    /// Takes the next bytes, and tells each frame that ends in them. `kept` is the sum of the kinds
    /// whose payloads are wanted.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], kept: u8, tell: &mut impl FnMut(Frame)) {
        while !bytes.is_empty() {
            if let Some(coming) = &mut self.current {
                let taken = coming.missing.min(bytes.len());
                if let Some(payload) = &mut coming.frame.payload {
                    payload.extend_from_slice(&bytes[..taken]);
                }
                coming.missing -= taken;
                bytes = &bytes[taken..];
                self.finish(tell);
            } else if self.head.is_empty()
                && let Some(beginning) = Beginning::of(bytes)
            {
                self.begin(&beginning, kept);
                bytes = &bytes[beginning.header..];
                self.finish(tell);
            } else {
                self.head.push(bytes[0]);
                bytes = &bytes[1..];
                if let Some(beginning) = Beginning::of(&self.head) {
                    let head = std::mem::take(&mut self.head);
                    self.begin(&beginning, kept);
                    self.feed(&head[beginning.header..], kept, tell);
                    self.finish(tell);
                }
            }
        }
    }

    fn begin(&mut self, beginning: &Beginning, kept: u8) {
        let Beginning { kind, length, .. } = *beginning;
        let payload = (kept & kind as u8 != 0).then(|| Vec::with_capacity(length));
        self.current = Some(Coming { frame: Frame { kind, length, payload }, missing: length });
    }

    fn finish(&mut self, tell: &mut impl FnMut(Frame)) {
        if let Some(done) = self.current.take_if(|coming| coming.missing == 0) {
            tell(done.frame);
        }
    }
}

impl Beginning {
    /// None while there are too few bytes to tell.
    fn of(bytes: &[u8]) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        let (&second, rest) = rest.split_first()?;
        let (length, extended) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
            127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
            short => (u64::from(short), 0),
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let header = 2 + extended + mask;
        let length = usize::try_from(length).ok()?;
        let payload = bytes.get(header..)?;
        if payload.len() < length.min(PREFIX) {
            return None;
        }
        let kind = match first & 0x0f {
            1 => Kind::of_text(payload),
            8 => Kind::Close,
            9 => Kind::Ping,
            _ => Kind::Other,
        };
        Some(Self { kind, header, length })
    }
}

impl Kind {
    fn of_text(payload: &[u8]) -> Self {
        // Only the sender's own events begin with their origin.
        if payload.starts_with(br#"{"type":"message.created"#)
            || payload.starts_with(br#"{"origin":"#)
        {
            Self::Message
        } else if payload.starts_with(br#"{"type":"reply""#) {
            Self::Reply
        } else if payload.starts_with(br#"{"type":"error""#) {
            Self::Error
        } else if payload.starts_with(br#"{"type":"session.ready"#) {
            Self::Ready
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::frame::header;

    fn framed(text: &str) -> Vec<u8> {
        [header(text.len()), text.into()].concat()
    }

    #[test]
    fn frames_are_found_whatever_the_pieces() {
        let event = format!(r#"{{"type":"message.created","payload":"{}"}}"#, "x".repeat(300));
        let texts = [r#"{"type":"session.ready"}"#, &event, r#"{"type":"reply","id":1}"#, "{}", ""];
        let stream: Vec<u8> = texts.iter().flat_map(|text| framed(text)).collect();
        for size in [1, 2, 3, 7, 64, 1_000] {
            let mut parser = Parser::default();
            let mut seen = Vec::new();
            for piece in stream.chunks(size) {
                parser.feed(piece, Kind::Reply as u8, &mut |frame| seen.push(frame));
            }
            let kinds: Vec<Kind> = seen.iter().map(|frame| frame.kind).collect();
            let expected =
                [Kind::Ready, Kind::Message, Kind::Reply, Kind::Other, Kind::Other].to_vec();
            assert_eq!(kinds, expected, "in pieces of {size}");
            let lengths: Vec<usize> = seen.iter().map(|frame| frame.length).collect();
            assert_eq!(lengths, texts.map(str::len), "in pieces of {size}");
            let kept: Vec<_> = seen.iter().filter_map(|frame| frame.payload.as_deref()).collect();
            assert_eq!(kept, [texts[2].as_bytes()], "in pieces of {size}");
        }
    }

    #[test]
    fn the_senders_own_event_is_a_delivery() {
        let mut seen = Vec::new();
        let text = framed(r#"{"origin":"0190f0a4","type":"message.created"}"#);
        Parser::default().feed(&text, 0, &mut |frame| seen.push(frame.kind));
        assert_eq!(seen, [Kind::Message]);
    }
}
