use crate::peer::{BINARY, CONTINUATION, FIN, Frame, PING, PONG, Peer, TEXT};

#[tokio::test(start_paused = true)]
async fn text_and_binary_messages_come_and_go() {
    let mut peer = Peer::of_echo();
    for (kind, payload) in [(TEXT, "grüße".as_bytes()), (BINARY, &[0, 255]), (TEXT, b"")] {
        peer.send(FIN | kind, payload).await;
        let answer = peer.read_answer().await;
        assert_eq!(answer, Frame { opcode: kind, fin: true, payload: payload.into() });
    }
}

#[tokio::test(start_paused = true)]
async fn fragments_are_joined_whatever_comes_between() {
    let mut peer = Peer::of_echo();
    let text = "grüße".as_bytes();
    peer.send(TEXT, &text[..3]).await;
    peer.send(FIN | PING, b"?").await;
    assert_eq!(peer.read_answer().await, Frame { opcode: PONG, fin: true, payload: b"?".into() });
    peer.send(CONTINUATION, b"").await;
    peer.send(FIN | CONTINUATION, &text[3..]).await;
    assert_eq!(peer.read_answer().await.payload, text);
}

#[tokio::test(start_paused = true)]
async fn a_message_may_come_byte_by_byte() {
    let mut peer = Peer::of_echo();
    for byte in crate::peer::frame(FIN | TEXT, b"slow") {
        peer.write(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(peer.read_answer().await.payload, b"slow");
}

#[tokio::test(start_paused = true)]
async fn the_largest_message_passes() {
    let mut peer = Peer::of_echo();
    let text = vec![b'x'; 64 * 1024];
    peer.send(FIN | TEXT, &text).await;
    let mut echoed = Vec::new();
    loop {
        let frame = peer.read_answer().await;
        echoed.extend(frame.payload);
        if frame.fin {
            break;
        }
    }
    assert_eq!(echoed, text);
}
