use std::time::Duration;

use chat_ws::Ended;
use tokio::time::{Instant, advance};

use crate::peer::{CLOSE, FIN, PING, PONG, Peer, TEXT};

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_stays() {
    let mut peer = Peer::of_echo();
    let mut last = Instant::now();
    for n in 0..20 {
        let ping = peer.read().await;
        assert_eq!(ping.opcode, PING);
        let waited = last.elapsed();
        let expected = Duration::from_secs(25);
        if n == 0 {
            assert!(waited <= expected, "the first ping comes at any point of the interval");
        } else {
            assert!(waited.abs_diff(expected) < Duration::from_millis(10), "{waited:?}");
        }
        last = Instant::now();
        peer.send(FIN | PONG, &ping.payload).await;
    }
}

#[tokio::test(start_paused = true)]
async fn any_frame_is_a_sign_of_life() {
    let mut peer = Peer::of_echo();
    for _ in 0..5 {
        assert_eq!(peer.read().await.opcode, PING);
        advance(Duration::from_secs(9)).await;
        peer.send(FIN | TEXT, b"here").await;
        assert_eq!(peer.read().await.payload, b"here");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up() {
    let mut peer = Peer::of_echo();
    assert_eq!(peer.read().await.opcode, PING);
    let pinged = Instant::now();
    assert_eq!(peer.read().await.close_code(), 4002);
    let waited = pinged.elapsed();
    assert!(waited.abs_diff(Duration::from_secs(10)) < Duration::from_millis(10), "{waited:?}");
    let Ended::ByServer(closing) = peer.ends().await else { panic!("not by the server") };
    assert_eq!(closing.code(), 4002);
}

#[tokio::test(start_paused = true)]
async fn first_pings_are_spread() {
    let mut times = Vec::new();
    for _ in 0..16 {
        let mut peer = Peer::of_echo();
        let start = Instant::now();
        assert_eq!(peer.read().await.opcode, PING);
        times.push(start.elapsed().as_secs());
        peer.send(FIN | CLOSE, b"").await;
    }
    times.sort_unstable();
    times.dedup();
    assert!(times.len() > 4, "{times:?}");
}
