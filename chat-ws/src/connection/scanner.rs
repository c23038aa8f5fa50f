//! Frame headers of the incoming byte stream (RFC 6455 §5.2), read ahead of the codec.
//!
//! The codec joins the fragments of a message silently, so a client could hold a message open for
//! ever, or send it in millions of empty fragments. The scanner sees each header as its bytes
//! arrive, and stops such a message while it costs nothing. It knows nothing of sockets or clocks,
//! and leaves everything that is not a limit to the codec.

/// The longest header: two bytes, eight of length, four of mask.
const MAX_HEADER: usize = 14;
const FIN: u8 = 0x80;
const OPCODE: u8 = 0x0f;
const CONTROL: u8 = 0x08;
const CONTINUATION: u8 = 0x00;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;

/// What the bytes of one message may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageBounds {
    /// The most bytes of payload, all fragments together.
    pub(super) bytes: u64,
    /// The most fragments.
    pub(super) fragments: u32,
}

/// Which bound a message breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Violation {
    #[error("the message has more bytes than allowed")]
    TooLarge,
    #[error("the message has more fragments than allowed")]
    TooManyFragments,
}

/// Where in a chunk of bytes a bound was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) violation: Violation,
    /// The bytes of the chunk that come before the offending frame.
    pub(super) sound: usize,
}

/// Follows a stream of frames from header to header.
#[derive(Debug)]
pub(super) struct FrameScanner {
    bounds: MessageBounds,
    header: [u8; MAX_HEADER],
    /// Bytes of `header` that have arrived.
    gathered: usize,
    /// Bytes of the current frame's payload that have not arrived.
    payload_left: u64,
    /// Fragments of the open message; zero when none is open.
    fragments: u32,
    /// Bytes of payload of the open message, announced so far.
    message_bytes: u64,
    /// Whether the current frame leaves the message open.
    stays_open: bool,
    frames: u64,
    boundaries: u64,
}

impl FrameScanner {
    pub(super) const fn new(bounds: MessageBounds) -> Self {
        Self {
            bounds,
            header: [0; MAX_HEADER],
            gathered: 0,
            payload_left: 0,
            fragments: 0,
            message_bytes: 0,
            stays_open: false,
            frames: 0,
            boundaries: 0,
        }
    }

    /// How many frame headers have been read.
    pub(super) const fn frames(&self) -> u64 {
        self.frames
    }

    /// How often the stream has been between messages: a change tells that one was completed.
    pub(super) const fn boundaries(&self) -> u64 {
        self.boundaries
    }

    /// Whether nothing is open: no frame and no message.
    pub(super) const fn is_idle(&self) -> bool {
        self.gathered == 0 && self.payload_left == 0 && self.fragments == 0
    }

    /// Reads the next bytes of the stream.
    ///
    /// # Errors
    ///
    /// [`Broken`], as soon as a header breaks a bound. The scanner is of no use afterwards.
    pub(super) fn scan(&mut self, chunk: &[u8]) -> Result<(), Broken> {
        let mut rest = chunk;
        let mut frame_start = 0;
        while let Some((&byte, after)) = rest.split_first() {
            if self.payload_left > 0 {
                let skipped = usize::try_from(self.payload_left)
                    .map_or(rest.len(), |left| left.min(rest.len()));
                self.payload_left -= skipped as u64;
                rest = &rest[skipped..];
                if self.payload_left == 0 {
                    self.end_frame();
                }
                continue;
            }
            if self.gathered == 0 {
                frame_start = chunk.len() - rest.len();
            }
            self.header[self.gathered] = byte;
            self.gathered += 1;
            rest = after;
            if self.gathered == self.header_length() {
                self.begin_frame().map_err(|violation| Broken { violation, sound: frame_start })?;
            }
        }
        Ok(())
    }

    /// The length of the current header, as far as it is known.
    const fn header_length(&self) -> usize {
        if self.gathered < 2 {
            return 2;
        }
        let extended = match self.header[1] & LENGTH {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + extended + if self.header[1] & MASKED != 0 { 4 } else { 0 }
    }

    fn payload_length(&self) -> u64 {
        let h = &self.header;
        match h[1] & LENGTH {
            126 => u64::from(u16::from_be_bytes([h[2], h[3]])),
            127 => u64::from_be_bytes([h[2], h[3], h[4], h[5], h[6], h[7], h[8], h[9]]),
            short => u64::from(short),
        }
    }

    fn begin_frame(&mut self) -> Result<(), Violation> {
        let length = self.payload_length();
        let first = self.header[0];
        self.gathered = 0;
        self.frames += 1;
        if first & CONTROL == 0 {
            if first & OPCODE != CONTINUATION {
                self.fragments = 0;
                self.message_bytes = 0;
            }
            self.fragments += 1;
            self.message_bytes = self.message_bytes.saturating_add(length);
            self.stays_open = first & FIN == 0;
            if self.fragments > self.bounds.fragments {
                return Err(Violation::TooManyFragments);
            }
        } else {
            self.stays_open = self.fragments > 0;
        }
        if length.max(self.message_bytes) > self.bounds.bytes {
            return Err(Violation::TooLarge);
        }
        self.payload_left = length;
        if length == 0 {
            self.end_frame();
        }
        Ok(())
    }

    const fn end_frame(&mut self) {
        if !self.stays_open {
            self.fragments = 0;
            self.message_bytes = 0;
            self.boundaries += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: MessageBounds = MessageBounds { bytes: 70_000, fragments: 4 };
    const TEXT: u8 = 0x1;
    const PING: u8 = 0x9;

    fn frame(opcode: u8, fin: bool, masked: bool, payload: usize) -> Vec<u8> {
        let mut bytes = vec![opcode | if fin { FIN } else { 0 }];
        let mask = if masked { MASKED } else { 0 };
        match payload {
            0..=125 => bytes.push(mask | u8::try_from(payload).unwrap()),
            126..=0xffff => {
                bytes.push(mask | 126);
                bytes.extend(u16::try_from(payload).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        if masked {
            bytes.extend([0xff; 4]);
        }
        bytes.resize(bytes.len() + payload, 0xff);
        bytes
    }

    fn scan(chunks: &[&[u8]]) -> (FrameScanner, Result<(), Broken>) {
        let mut scanner = FrameScanner::new(BOUNDS);
        let result = chunks.iter().try_for_each(|chunk| scanner.scan(chunk));
        (scanner, result)
    }

    #[test]
    fn a_header_that_announces_too_much_is_stopped_before_its_payload() {
        let mut huge = vec![FIN | TEXT, MASKED | 127];
        huge.extend((1_u64 << 63).to_be_bytes());
        huge.extend([0; 4]);
        let (_, result) = scan(&[&huge]);
        assert_eq!(result, Err(Broken { violation: Violation::TooLarge, sound: 0 }));
    }

    #[test]
    fn what_came_before_the_offending_frame_is_sound() {
        let good = frame(TEXT, true, true, 10);
        let bad = frame(TEXT, true, true, 70_001);
        let (_, result) = scan(&[&[good.as_slice(), &bad].concat()]);
        assert_eq!(result, Err(Broken { violation: Violation::TooLarge, sound: good.len() }));
    }

    #[test]
    fn fragments_together_keep_to_the_bound() {
        let first = frame(TEXT, false, true, 60_000);
        let next = frame(CONTINUATION, true, true, 10_001);
        assert_eq!(scan(&[&first, &next]).1.unwrap_err().violation, Violation::TooLarge);
        let next = frame(CONTINUATION, true, true, 10_000);
        assert_eq!(scan(&[&first, &next]).1, Ok(()));
    }

    #[test]
    fn empty_fragments_are_counted_and_control_frames_are_not() {
        let first = frame(TEXT, false, true, 1);
        let empty = frame(CONTINUATION, false, true, 0);
        let ping = frame(PING, true, true, 3);
        let open = [first.as_slice(), &ping, &empty, &ping, &empty, &ping, &empty, &ping].concat();
        let (scanner, result) = scan(&[&open]);
        assert_eq!(result, Ok(()));
        assert_eq!(scanner.frames(), 8);
        assert!(!scanner.is_idle(), "the message is open");
        let (_, result) = scan(&[&open, &empty]);
        assert_eq!(result.unwrap_err().violation, Violation::TooManyFragments);
    }

    #[test]
    fn messages_one_after_the_other_are_not_added_up() {
        let chunk = frame(TEXT, true, true, 60_000).repeat(3);
        let (scanner, result) = scan(&[&chunk]);
        assert_eq!(result, Ok(()));
        assert!(scanner.is_idle());
        assert_eq!(scanner.boundaries(), 3);
    }

    fn any_frames() -> impl Strategy<Value = Vec<u8>> {
        let length = prop_oneof![0..130_usize, 65_530..65_540_usize, 69_990..70_010_usize];
        let opcode = prop_oneof![Just(TEXT), Just(CONTINUATION), Just(PING), 0..16_u8];
        let one = (opcode, any::<bool>(), any::<bool>(), length);
        prop::collection::vec(one, 1..12).prop_map(|frames| {
            frames.into_iter().flat_map(|(o, fin, masked, n)| frame(o, fin, masked, n)).collect()
        })
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_makes_no_difference(
            bytes in any_frames(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.index(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut cut = FrameScanner::new(BOUNDS);
            let mut found = None;
            for pair in cuts.windows(2) {
                if let Err(broken) = cut.scan(&bytes[pair[0]..pair[1]]) {
                    found = Some((broken.violation, pair[0] + broken.sound));
                    break;
                }
            }
            let mut whole = FrameScanner::new(BOUNDS);
            match whole.scan(&bytes) {
                Ok(()) => {
                    prop_assert_eq!(found, None);
                    prop_assert_eq!(cut.is_idle(), whole.is_idle());
                    prop_assert_eq!(cut.boundaries(), whole.boundaries());
                }
                Err(broken) => {
                    let (violation, sound) = found.expect("found whole, so found in pieces");
                    prop_assert_eq!(violation, broken.violation);
                    prop_assert!(sound >= broken.sound, "a header's own bytes may have passed");
                }
            }
            prop_assert_eq!(cut.frames(), whole.frames());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = FrameScanner::new(BOUNDS).scan(&bytes);
        }
    }
}
