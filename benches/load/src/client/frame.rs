/// The key that all frames of the clients are masked with. A real client takes another one for each
/// frame; the server's work is the same.
const MASK: [u8; 4] = [0x5a, 0x17, 0xc3, 0x6e];

const TEXT: u8 = 0x81;
const PONG: u8 = 0x8a;

/// The header of an unmasked text frame, as servers send it.
pub(crate) fn header(length: usize) -> Vec<u8> {
    let mut header = vec![TEXT];
    push_length(&mut header, length, 0);
    header
}

/// A whole text frame, as clients send it.
pub(crate) fn masked_text(text: &str) -> Vec<u8> {
    masked(TEXT, text.as_bytes())
}

/// The answer to a ping.
pub(super) fn masked_pong(payload: &[u8]) -> Vec<u8> {
    masked(PONG, payload)
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    frame.push(first);
    push_length(&mut frame, payload.len(), 0x80);
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

fn push_length(frame: &mut Vec<u8>, length: usize, masked: u8) {
    if let Ok(short) = u8::try_from(length)
        && short < 126
    {
        frame.push(masked | short);
    } else if let Ok(middle) = u16::try_from(length) {
        frame.push(masked | 126);
        frame.extend_from_slice(&middle.to_be_bytes());
    } else {
        frame.push(masked | 127);
        frame.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_one_three_or_nine_bytes() {
        assert_eq!(header(125), [0x81, 125]);
        assert_eq!(header(126), [0x81, 126, 0, 126]);
        assert_eq!(header(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_masked_frame_is_its_text_again_when_unmasked() {
        let frame = masked_text("hello");
        assert_eq!(frame[..2], [0x81, 0x85]);
        let text: Vec<u8> = frame[6..]
            .iter()
            .zip(frame[2..6].iter().cycle())
            .map(|(byte, key)| byte ^ key)
            .collect();
        assert_eq!(text, b"hello");
    }
}
