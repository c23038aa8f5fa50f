use std::time::Duration;

use chat_ws::ConnectionConfig;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, advance, timeout};

use crate::peer::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Peer, TEXT, frame, header};
use crate::speaker::Echo;

const LIMIT: usize = 64 * 1024;

/// The code with which the server closes after these bytes.
async fn code_after(bytes: &[u8]) -> u16 {
    let mut peer = Peer::of_echo();
    peer.write(bytes).await;
    peer.closed_with().await
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_limit_is_too_large() {
    assert_eq!(code_after(&frame(FIN | TEXT, &vec![b'x'; LIMIT + 1])).await, 1009);
    let half = vec![b'x'; LIMIT / 2];
    let parts =
        [frame(TEXT, &half), frame(CONTINUATION, &half), frame(FIN | CONTINUATION, b"x")].concat();
    assert_eq!(code_after(&parts).await, 1009);
}

#[tokio::test(start_paused = true)]
async fn an_announcement_of_too_much_is_refused_before_it_comes() {
    for length in [LIMIT as u64 + 1, 1 << 32, 1 << 63, u64::MAX] {
        for kind in [TEXT, BINARY, PING] {
            let announced = [header(FIN | kind, length), vec![0; 4]].concat();
            assert_eq!(code_after(&announced).await, 1009, "{length} bytes of {kind}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_of_endless_fragments_is_refused() {
    let empty = frame(CONTINUATION, b"");
    let bytes = [frame(TEXT, b""), empty.repeat(63)].concat();
    let mut peer = Peer::of_echo();
    peer.write(&bytes).await;
    peer.send(FIN | PING, b"still there").await;
    assert_eq!(peer.read_answer().await.payload, b"still there");
    peer.write(&empty).await;
    assert_eq!(peer.closed_with().await, 1009);
}

#[tokio::test(start_paused = true)]
async fn text_that_is_not_utf8_is_refused() {
    assert_eq!(code_after(&frame(FIN | TEXT, b"a\xff")).await, 1007);
    let parts = [frame(TEXT, b"\xc3"), frame(FIN | CONTINUATION, b"(")].concat();
    assert_eq!(code_after(&parts).await, 1007);
}

#[tokio::test(start_paused = true)]
async fn whoever_breaks_the_protocol_is_told() {
    let unmasked = vec![FIN | TEXT, 1, b'x'];
    for (flaw, bytes) in [
        ("unmasked", unmasked),
        ("reserved bit", frame(FIN | 0x40 | TEXT, b"x")),
        ("reserved opcode", frame(FIN | 0x3, b"x")),
        ("reserved control opcode", frame(FIN | 0xb, b"x")),
        ("fragmented ping", frame(PING, b"x")),
        ("long ping", frame(FIN | PING, &[b'x'; 126])),
        ("continuation of nothing", frame(FIN | CONTINUATION, b"x")),
        ("message inside a message", [frame(TEXT, b"x"), frame(FIN | TEXT, b"y")].concat()),
        ("close of one byte", frame(FIN | CLOSE, b"x")),
    ] {
        assert_eq!(code_after(&bytes).await, 1002, "{flaw}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_fault_is_answered() {
    let mut peer = Peer::of_echo();
    peer.write(&[frame(FIN | TEXT, b"good"), header(FIN | TEXT, u64::MAX), vec![0; 4]].concat())
        .await;
    assert_eq!(peer.read_answer().await.payload, b"good");
    assert_eq!(peer.closed_with().await, 1009);
}

/// The time until the server gives up on a message of which one byte comes each second.
async fn seconds_of_trickle(bytes: &[u8]) -> u64 {
    let mut peer = Peer::of_echo();
    let start = Instant::now();
    for byte in bytes {
        // The server may have closed already, which the end of the test shows.
        let _ = peer.stream.write_all(&[*byte]).await;
        advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
        let peeked = timeout(Duration::ZERO, peer.read_answer()).await;
        if let Ok(answer) = peeked {
            assert_eq!(answer.close_code(), 1008);
            return start.elapsed().as_secs();
        }
    }
    panic!("the server waits for ever");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_trickles_in_is_given_up() {
    let payload = frame(FIN | TEXT, &[b'x'; 100]);
    let seconds = seconds_of_trickle(&payload).await;
    assert!((9..=12).contains(&seconds), "{seconds}");
    let header = frame(FIN | TEXT, &[b'x'; 40_000]);
    let seconds = seconds_of_trickle(&header).await;
    assert!((9..=12).contains(&seconds), "{seconds}");
    let fragments = [frame(TEXT, b"x"), frame(CONTINUATION, b"y").repeat(9)].concat();
    let seconds = seconds_of_trickle(&fragments).await;
    assert!((9..=12).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_message_that_keeps_to_its_time_passes() {
    let mut peer = Peer::of_echo();
    for _ in 0..3 {
        peer.send(TEXT, b"a").await;
        for _ in 0..8 {
            advance(Duration::from_secs(1)).await;
            peer.send(CONTINUATION, b"b").await;
            peer.send(FIN | PONG, b"").await;
        }
        peer.send(FIN | CONTINUATION, b"c").await;
        assert_eq!(peer.read_answer().await.payload, b"abbbbbbbbc");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_read_at_the_rate_allowed() {
    let config =
        ConnectionConfig { frames_per_second: 100, frame_burst: 200, ..Default::default() };
    let mut peer = Peer::of(Echo::default(), config, 1024 * 1024);
    let start = Instant::now();
    let flood: Vec<u8> =
        (0..500_u32).flat_map(|n| frame(FIN | TEXT, &n.to_be_bytes().map(|b| b & 0x7f))).collect();
    peer.write(&flood).await;
    for n in 0..500_u32 {
        assert_eq!(peer.read_answer().await.payload, n.to_be_bytes().map(|b| b & 0x7f));
    }
    // What the last read brought is answered before its debt is paid.
    let seconds = start.elapsed().as_secs_f64();
    assert!((0.5..3.5).contains(&seconds), "{seconds}");
    peer.send(FIN | TEXT, b"after").await;
    assert_eq!(peer.read_answer().await.payload, b"after");
    assert!(start.elapsed().as_secs_f64() >= 3.0, "all have been paid for");
}
