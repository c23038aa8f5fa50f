use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chat_core::proto::{CloseCode, Heartbeat};
use chat_ws::{Closing, ConnectionConfig, Ended, Incoming, Speaker, Turn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use crate::peer::{CLOSE, CONTINUATION, FIN, PING, PONG, Peer, TEXT, frame};
use crate::speaker::Echo;

/// Says one thing, and has had enough some time later.
#[derive(Debug)]
struct Orator {
    speech: Vec<Bytes>,
    ends_at: Option<Instant>,
}

impl Speaker for Orator {
    fn receive(&mut self, _: Incoming<'_>) -> Result<(), Closing> {
        Ok(())
    }

    fn wants_messages(&self) -> bool {
        true
    }

    async fn next(&mut self) -> Turn {
        if !self.speech.is_empty() {
            return Turn::Text(std::mem::take(&mut self.speech));
        }
        Turn::Close(self.ended().await)
    }

    async fn ended(&mut self) -> Closing {
        match self.ends_at {
            Some(end) => tokio::time::sleep_until(end).await,
            None => std::future::pending().await,
        }
        Closing::new(4501, "enough")
    }
}

fn orator(speech: Vec<Bytes>, ends_at: Option<Instant>, pipe: usize) -> Peer {
    Peer::of(Orator { speech, ends_at }, ConnectionConfig::default(), pipe)
}

#[tokio::test(start_paused = true)]
async fn a_long_message_goes_out_in_fragments() {
    let text: Vec<u8> = (0..1_000_000_u32).map(|n| b'a' + (n % 26) as u8).collect();
    let mut peer = orator(vec![text.clone().into(), "next".into()], None, 16 * 1024);
    let mut joined = Vec::new();
    let mut opcode = TEXT;
    loop {
        let frame = peer.read_answer().await;
        assert_eq!(frame.opcode, opcode);
        assert!(frame.payload.len() <= 32 * 1024);
        joined.extend(frame.payload);
        if frame.fin {
            break;
        }
        opcode = CONTINUATION;
    }
    assert_eq!(joined, text);
    assert_eq!(peer.read_answer().await.payload, b"next");
}

#[tokio::test(start_paused = true)]
async fn a_batch_arrives_in_order() {
    let batch: Vec<Bytes> = (0..64).map(|n| Bytes::from(format!("message {n}"))).collect();
    let mut peer = orator(batch.clone(), None, 64);
    for message in batch {
        assert_eq!(peer.read_answer().await.payload, message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_closed_after_the_write_timeout() {
    let start = Instant::now();
    let mut peer = orator(vec![vec![b'x'; 100_000].into()], None, 1024);
    let Ended::ByServer(closing) = peer.ends().await else { panic!("not by the server") };
    assert_eq!(closing.code(), 4001);
    assert_eq!(start.elapsed().as_secs(), 11, "the close frame gets a second");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_in_time_is_told_that_it_reads_too_slowly() {
    // What was being written when the write timeout was over, and then the close frame.
    let mut peer = orator(vec![vec![b'x'; 100_000].into()], None, 1024);
    tokio::time::sleep(Duration::from_millis(10_500)).await;
    assert!(!peer.read_answer().await.fin, "a part of the message");
    assert_eq!(peer.closed_with().await, 4001);
    // A speaker that has had enough of a peer that reads a little now and then.
    let mut peer =
        Peer::of(Overrun(Some("x".repeat(30_000).into())), ConnectionConfig::default(), 1024);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(peer.read_answer().await.payload.len(), 30_000);
    assert_eq!(peer.closed_with().await, 4001);
}

/// Says one thing, and then finds that the peer reads too slowly.
#[derive(Debug)]
struct Overrun(Option<Bytes>);

impl Speaker for Overrun {
    fn receive(&mut self, _: Incoming<'_>) -> Result<(), Closing> {
        Ok(())
    }

    fn wants_messages(&self) -> bool {
        true
    }

    async fn next(&mut self) -> Turn {
        match self.0.take() {
            Some(text) => Turn::Text(vec![text]),
            None => std::future::pending().await,
        }
    }

    async fn ended(&mut self) -> Closing {
        CloseCode::SlowReader.into()
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_ends_although_its_peer_does_not_read() {
    let start = Instant::now();
    let ends_at = start + Duration::from_secs(3);
    let mut peer = orator(vec![vec![b'x'; 100_000].into()], Some(ends_at), 1024);
    let Ended::ByServer(closing) = peer.ends().await else { panic!("not by the server") };
    assert_eq!(closing.code(), 4501);
    assert_eq!(start.elapsed().as_secs(), 4, "the close frame gets a second");
}

/// Says many things and leaves.
#[derive(Debug)]
struct Lecturer {
    said: usize,
    at_once: usize,
    leaves: Turn,
}

impl Speaker for Lecturer {
    fn receive(&mut self, _: Incoming<'_>) -> Result<(), Closing> {
        Ok(())
    }

    fn wants_messages(&self) -> bool {
        true
    }

    async fn next(&mut self) -> Turn {
        if self.said == 3 {
            return self.leaves.clone();
        }
        let first = self.said + 1;
        self.said += self.at_once;
        Turn::Text((first..=self.said).map(|n| n.to_string().into()).collect())
    }

    async fn ended(&mut self) -> Closing {
        match self.leaves {
            Turn::Close(closing) => closing,
            _ => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_speaker_that_finishes_is_heard_out() {
    let leaves = Turn::Finish(Closing::new(4000, "later"));
    for at_once in [1, 3] {
        let lecturer = Lecturer { said: 0, at_once, leaves: leaves.clone() };
        // Nothing fits the pipe at once.
        let mut peer = Peer::of(lecturer, ConnectionConfig::default(), 1);
        for expected in [b"1", b"2", b"3"] {
            assert_eq!(peer.read_answer().await.payload, expected);
        }
        assert_eq!(peer.closed_with().await, 4000);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_when_a_speaker_closes() {
    let leaves = Turn::Close(Closing::new(4501, "enough"));
    for at_once in [1, 3] {
        let lecturer = Lecturer { said: 0, at_once, leaves: leaves.clone() };
        let mut peer = Peer::of(lecturer, ConnectionConfig::default(), 1);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(peer.read_answer().await.payload, b"1", "it was being written");
        assert_eq!(peer.closed_with().await, 4501);
    }
}

/// Says the same for ever, and counts.
#[derive(Debug)]
struct Talker {
    said: Arc<AtomicUsize>,
    ends_at: Option<Instant>,
}

impl Speaker for Talker {
    fn receive(&mut self, _: Incoming<'_>) -> Result<(), Closing> {
        Ok(())
    }

    fn wants_messages(&self) -> bool {
        true
    }

    async fn next(&mut self) -> Turn {
        let said = self.said.fetch_add(1, Ordering::SeqCst);
        Turn::Text(vec![said.to_string().into()])
    }

    async fn ended(&mut self) -> Closing {
        match self.ends_at {
            Some(end) => tokio::time::sleep_until(end).await,
            None => std::future::pending().await,
        }
        Closing::new(4501, "enough")
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_said_while_a_write_is_blocked_is_bounded_and_keeps_its_order() {
    let said = Arc::new(AtomicUsize::new(0));
    let talker = Talker { said: Arc::clone(&said), ends_at: None };
    let mut peer = Peer::of(talker, ConnectionConfig::default(), 64);
    tokio::time::sleep(Duration::from_secs(5)).await;
    // Of these frames 18 fit into the pipe, and one is being written.
    assert_eq!(said.load(Ordering::SeqCst), 19, "the speaker is left alone");
    for expected in 0..1_000 {
        assert_eq!(peer.read_answer().await.payload, expected.to_string().as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_ends_however_much_waits_to_be_said() {
    let start = Instant::now();
    let talker = Talker { said: Arc::default(), ends_at: Some(start + Duration::from_secs(3)) };
    let mut peer = Peer::of(talker, ConnectionConfig::default(), 64);
    let Ended::ByServer(closing) = peer.ends().await else { panic!("not by the server") };
    assert_eq!(closing.code(), 4501);
    assert_eq!(start.elapsed().as_secs(), 4, "the close frame gets a second");
}

/// Gives a speech after a while.
#[derive(Debug)]
struct Late {
    at: Instant,
    speech: Vec<Bytes>,
}

impl Speaker for Late {
    fn receive(&mut self, _: Incoming<'_>) -> Result<(), Closing> {
        Ok(())
    }

    fn wants_messages(&self) -> bool {
        true
    }

    async fn next(&mut self) -> Turn {
        tokio::time::sleep_until(self.at).await;
        if self.speech.is_empty() {
            std::future::pending::<()>().await;
        }
        Turn::Text(std::mem::take(&mut self.speech))
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_slow_to_read_is_not_taken_for_dead() {
    let heartbeat = Heartbeat { ping_interval_ms: 1_000, pong_timeout_ms: 3_000 };
    let config = ConnectionConfig { heartbeat, ..ConnectionConfig::default() };
    for _ in 0..8 {
        let at = Instant::now() + Duration::from_millis(1_500);
        let speech = vec![vec![b'x'; 1024].into(); 16];
        let mut peer = Peer::of(Late { at, speech }, config.clone(), 1024);
        let mut read = 0;
        // A sign of life is always there, behind a server that is busy writing.
        while read < 16 * 1024 {
            peer.write(&frame(FIN | PONG, b"")).await;
            tokio::time::sleep(Duration::from_millis(900)).await;
            let mut bytes = [0; 1024];
            read += peer.stream.read(&mut bytes).await.unwrap();
        }
        peer.write(&frame(FIN | CLOSE, &1000_u16.to_be_bytes())).await;
        peer.stream.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(peer.ended().await, Ended::ByPeer(Some(1000)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_blocked_write_ends_when_the_connection_is_cut() {
    let mut peer = orator(vec![vec![b'x'; 100_000].into()], None, 1024);
    tokio::time::sleep(Duration::from_secs(1)).await;
    peer.cut.cancel();
    let Ended::ByServer(closing) = peer.ends().await else { panic!("not by the server") };
    assert_eq!(closing.code(), 4000);
}

#[tokio::test(start_paused = true)]
async fn pongs_do_not_pile_up_for_a_peer_that_does_not_read() {
    let pipe = 4 * 1024;
    let mut peer = Peer::of(Echo::default(), ConnectionConfig::default(), pipe);
    let ping = frame(FIN | PING, &[b'p'; 125]);
    let mut taken = 0;
    while timeout(Duration::from_secs(1), peer.stream.write_all(&ping)).await.is_ok() {
        taken += ping.len();
        assert!(taken < 1024 * 1024, "the server reads on without being read");
    }
    // Its own pipe, the codec's read buffer, and the pongs that fit the peer's pipe.
    assert!(taken < 4 * pipe, "{taken}");
    let Ended::ByServer(closing) = peer.ends().await else { panic!("not by the server") };
    assert_eq!(closing.code(), 4001);
}

/// Never asks for a message.
#[derive(Debug)]
struct Busy;

impl Speaker for Busy {
    fn receive(&mut self, _: Incoming<'_>) -> Result<(), Closing> {
        panic!("no message was asked for");
    }

    fn wants_messages(&self) -> bool {
        false
    }

    async fn next(&mut self) -> Turn {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_waits_while_the_speaker_is_busy_and_is_not_given_up() {
    let mut peer = Peer::of(Busy, ConnectionConfig::default(), 1024);
    let flood = frame(FIN | TEXT, b"hello").repeat(10_000);
    let writing = timeout(Duration::from_secs(5), peer.stream.write_all(&flood)).await;
    assert!(writing.is_err(), "the pipe is full and stays so");
    for _ in 0..10 {
        assert_eq!(peer.read().await.opcode, PING, "no pong is expected of who is not heard");
    }
}
