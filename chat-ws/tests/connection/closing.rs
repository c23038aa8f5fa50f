use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_ws::{Closing, ConnectionConfig, Ended, Incoming, Speaker, Turn};

use crate::peer::{BINARY, CLOSE, FIN, Peer, TEXT};

#[tokio::test(start_paused = true)]
async fn a_close_frame_is_answered_in_kind() {
    for (payload, answered, ended) in [
        (&b"\x03\xe8bye"[..], &b"\x03\xe8bye"[..], Some(1000)),
        (b"\x0f\xa0", b"\x0f\xa0", Some(4000)),
        (b"", b"", None),
    ] {
        let mut peer = Peer::of_echo();
        peer.send(FIN | CLOSE, payload).await;
        let answer = peer.read_answer().await;
        assert_eq!((answer.opcode, answer.payload.as_slice()), (CLOSE, answered));
        assert_eq!(peer.ended().await, Ended::ByPeer(ended));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_vanishes_is_noticed() {
    let peer = Peer::of_echo();
    assert_eq!(peer.ended().await, Ended::Lost);
    let mut peer = Peer::of_echo();
    peer.send(TEXT, b"the rest never comes").await;
    assert_eq!(peer.ended().await, Ended::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_cut_asks_its_peer_to_come_back() {
    let mut peer = Peer::of_echo();
    peer.send(FIN | TEXT, b"hello").await;
    assert_eq!(peer.read_answer().await.payload, b"hello");
    peer.cut.cancel();
    assert_eq!(peer.closed_with().await, 4000);
}

/// Closes after the first message, and takes no binary ones.
#[derive(Debug)]
struct Terse {
    is_done: bool,
    dropped: Arc<AtomicBool>,
}

impl Speaker for Terse {
    fn receive(&mut self, message: Incoming<'_>) -> Result<(), Closing> {
        match message {
            Incoming::Text(_) => self.is_done = true,
            Incoming::Binary(_) => return Err(Closing::UNSUPPORTED),
        }
        Ok(())
    }

    fn wants_messages(&self) -> bool {
        !self.is_done
    }

    async fn next(&mut self) -> Turn {
        if !self.is_done {
            std::future::pending::<()>().await;
        }
        Turn::Close(Closing::new(4501, "enough"))
    }
}

impl Drop for Terse {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::SeqCst);
    }
}

fn terse() -> (Peer, Arc<AtomicBool>) {
    let dropped = Arc::new(AtomicBool::new(false));
    let speaker = Terse { is_done: false, dropped: Arc::clone(&dropped) };
    (Peer::of(speaker, ConnectionConfig::default(), 64 * 1024), dropped)
}

#[tokio::test(start_paused = true)]
async fn a_kind_of_message_that_is_not_taken_closes() {
    let (mut peer, _) = terse();
    peer.send(FIN | BINARY, b"\0").await;
    assert_eq!(peer.closed_with().await, 1003);
}

#[tokio::test(start_paused = true)]
async fn the_speaker_is_gone_before_the_peer_has_answered() {
    let (mut peer, dropped) = terse();
    peer.send(FIN | TEXT, b"x").await;
    assert_eq!(peer.read_answer().await.close_code(), 4501);
    assert!(dropped.load(Ordering::SeqCst));
    let Ended::ByServer(_) = peer.ends().await else { panic!("not by the server") };
}
