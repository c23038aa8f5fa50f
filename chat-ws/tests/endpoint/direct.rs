//! Events that are written past the connection's task, over a real socket with small buffers, while
//! the task itself writes answers and pongs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chat_core::direct::DirectWriter;
use chat_core::proto::CloseCode;
use chat_core::{Outgoing, Session};
use chat_ws::{Closing, ConnectionConfig, Ended, Incoming, Speaker, Turn, serve_tcp};
use futures::stream::{FuturesUnordered, SplitStream};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;

use crate::server::{NEVER, soon};
use crate::talk::{Talk, sockets};

/// Messages under way at once: fewer than may wait for a device.
const AHEAD: usize = 100;

/// A session that counts the messages that go by its task.
struct Counted {
    session: Session,
    by_task: Arc<AtomicUsize>,
}

impl Speaker for Counted {
    fn write_directly(&mut self, writer: Arc<dyn DirectWriter>) {
        self.session.write_directly(writer);
    }

    fn receive(&mut self, message: Incoming<'_>) -> Result<(), Closing> {
        Speaker::receive(&mut self.session, message)
    }

    fn wants_messages(&self) -> bool {
        self.session.wants_frames()
    }

    async fn next(&mut self) -> Turn {
        let outgoing = self.session.next().await;
        if let Outgoing::Frames(frames) = &outgoing {
            let events = frames.iter().filter(|frame| is_message(frame)).count();
            self.by_task.fetch_add(events, Ordering::SeqCst);
        }
        outgoing.into()
    }

    async fn ended(&mut self) -> Closing {
        self.session.ended().await.into()
    }
}

fn is_message(frame: &Bytes) -> bool {
    frame.starts_with(br#"{"type":"message.created""#)
}

/// Bo's connection, and how many messages went by its task.
async fn connect(talk: &Talk) -> (WebSocketStream<TcpStream>, JoinHandle<Ended>, Arc<AtomicUsize>) {
    connect_with(talk, NEVER, b"").await
}

/// The same with a time that a write may take, and with what the server read too early.
async fn connect_with(
    talk: &Talk,
    write_timeout: Duration,
    early: &'static [u8],
) -> (WebSocketStream<TcpStream>, JoinHandle<Ended>, Arc<AtomicUsize>) {
    let (client, stream) = sockets().await;
    let session = talk.attach().await;
    let by_task = Arc::new(AtomicUsize::new(0));
    let speaker = Counted { session, by_task: Arc::clone(&by_task) };
    let config = ConnectionConfig {
        write_timeout,
        frames_per_second: 1_000_000,
        frame_burst: 1_000_000,
        ..ConnectionConfig::default()
    };
    let connection = tokio::spawn(async move {
        let early = Bytes::from_static(early);
        serve_tcp(stream, early, speaker, &config, &CancellationToken::new()).await
    });
    let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    (client, connection, by_task)
}

/// Has Ada write until a message comes that did not go by the connection's task, and returns its
/// number. That one is so whose task has nothing else to do is the rule, but takes a moment.
async fn written_directly(
    talk: &Talk,
    reading: &mut SplitStream<WebSocketStream<TcpStream>>,
    by_task: &AtomicUsize,
) -> u64 {
    loop {
        let before = by_task.load(Ordering::SeqCst);
        talk.ada_sends("hello".into()).await;
        let seq = loop {
            let message = reading.next().await.expect("open").expect("sound frames");
            let Message::Text(text) = message else { continue };
            let frame: Value = serde_json::from_str(&text).expect("a whole frame");
            if let Some(seq) = frame["payload"]["message"]["seq"].as_u64() {
                break seq;
            }
        };
        if by_task.load(Ordering::SeqCst) == before {
            return seq;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_stay_whole_and_in_order_beside_answers_and_pongs() {
    const MESSAGES: usize = 2_000;
    const ASKED: usize = 300;
    let talk = Arc::new(Talk::begin().await);
    let (client, connection, by_task) = connect(&talk).await;
    let (mut writing, mut reading) = client.split();
    let first = soon(written_directly(&talk, &mut reading, &by_task)).await;
    let room = Arc::new(Semaphore::new(AHEAD));

    let sender = tokio::spawn({
        let (talk, room) = (Arc::clone(&talk), Arc::clone(&room));
        async move {
            let mut sending = FuturesUnordered::new();
            for n in 0..MESSAGES {
                soon(room.acquire()).await.unwrap().forget();
                // Some fit into the socket's buffers, some into none.
                let text = "x".repeat(1 + n * 7_919 % 4_000);
                let talk = Arc::clone(&talk);
                sending.push(async move { talk.ada_sends(text).await });
                if sending.len() > n % 8 {
                    while sending.next().await.is_some() {}
                }
            }
            while sending.next().await.is_some() {}
        }
    });
    let asker = tokio::spawn(async move {
        for n in 0..ASKED {
            let ping = json!({"id": n, "type": "ping", "payload": {}}).to_string();
            soon(writing.send(Message::text(ping))).await.unwrap();
            soon(writing.send(Message::Ping(vec![n as u8; n % 126].into()))).await.unwrap();
        }
        writing
    });

    let (mut seqs, mut answers, mut pongs) = (Vec::new(), Vec::new(), 0);
    while seqs.len() < MESSAGES || answers.len() < ASKED || pongs == 0 {
        match soon(reading.next()).await.expect("open").expect("sound frames") {
            Message::Text(text) => {
                let frame: Value = serde_json::from_str(&text).expect("a whole frame");
                match frame["type"].as_str().unwrap() {
                    "message.created" => {
                        seqs.push(frame["payload"]["message"]["seq"].as_u64().unwrap());
                        room.add_permits(1);
                    }
                    "reply" => answers.push(frame["id"].as_u64().unwrap()),
                    _ => {}
                }
            }
            Message::Pong(_) => pongs += 1,
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
        // A reader that dawdles now and then, so that writes do not fit.
        if seqs.len() % 64 < 16 {
            tokio::task::yield_now().await;
        }
    }
    soon(sender).await.unwrap();
    let mut writing = soon(asker).await.unwrap();
    assert!(seqs.into_iter().eq(first + 1..=first + MESSAGES as u64), "each once, in order");
    assert!(answers.into_iter().eq(0..ASKED as u64));
    soon(writing.close()).await.unwrap();
    assert!(matches!(soon(connection).await.unwrap(), Ended::ByPeer(_)));
}

/// What was begun is finished, what was not is dropped, and the close frame can be read.
#[tokio::test]
async fn a_close_comes_after_the_frame_that_was_begun() {
    let talk = Talk::begin().await;
    let (mut client, connection, _) = connect(&talk).await;
    // The greeting is written before anything else may be.
    let greeting = soon(client.next()).await.unwrap().unwrap();
    assert!(greeting.to_text().unwrap().contains("session.ready"));
    // More than the sockets hold.
    for _ in 0..60 {
        talk.ada_sends("x".repeat(4_000)).await;
    }
    talk.bo_is_logged_out();
    let mut seqs = Vec::new();
    loop {
        match soon(client.next()).await.expect("a close frame").expect("sound frames") {
            Message::Text(text) => {
                let frame: Value = serde_json::from_str(&text).expect("a whole frame");
                seqs.extend(frame["payload"]["message"]["seq"].as_u64());
            }
            Message::Close(frame) => {
                assert_eq!(u16::from(frame.expect("a code").code), 4501);
                break;
            }
            _ => {}
        }
    }
    assert!(seqs.len() < 60, "what was not begun is dropped: {}", seqs.len());
    assert!(seqs.iter().copied().eq(1..=seqs.len() as u64));
    assert!(matches!(soon(connection).await.unwrap(), Ended::ByServer(_)));
}

/// A direct write that was begun is subject to the same patience as any other.
#[tokio::test]
async fn a_peer_that_stops_reading_is_given_up_after_the_write_timeout() {
    let talk = Talk::begin().await;
    let patience = Duration::from_millis(200);
    let (client, connection, by_task) = connect_with(&talk, patience, b"").await;
    let (_writing, mut reading) = client.split();
    soon(written_directly(&talk, &mut reading, &by_task)).await;
    // More than the sockets hold, and less than may wait for a device.
    for _ in 0..60 {
        talk.ada_sends("x".repeat(4_000)).await;
    }
    let Ended::ByServer(closing) = soon(connection).await.unwrap() else { panic!("by the server") };
    assert_eq!(closing, CloseCode::SlowReader.into());
}

#[tokio::test]
async fn a_slow_reader_is_told_to_come_back_when_too_much_waits_for_it() {
    let talk = Talk::begin().await;
    let (client, connection, by_task) = connect(&talk).await;
    let (_writing, mut reading) = client.split();
    soon(written_directly(&talk, &mut reading, &by_task)).await;
    // More than the sockets hold and than may wait for a device together.
    for _ in 0..600 {
        talk.ada_sends("x".repeat(4_000)).await;
    }
    let Ended::ByServer(closing) = soon(connection).await.unwrap() else { panic!("by the server") };
    assert_eq!(closing, CloseCode::SlowReader.into());
}

#[tokio::test]
async fn what_came_along_with_the_handshake_is_heard_first() {
    let talk = Talk::begin().await;
    // A masked text frame, of which the end comes over the socket.
    let early = b"\x81\xA3\0\0\0\0{\"id\":7,\"type\":\"ping\",\"payl";
    let (mut client, _connection, _) = connect_with(&talk, NEVER, early).await;
    soon(client.get_mut().write_all(b"oad\":{}}")).await.unwrap();
    let answer = async {
        loop {
            let message = client.next().await.expect("open").expect("sound frames");
            let frame: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
            if frame["type"] == "reply" {
                return frame;
            }
        }
    };
    assert_eq!(soon(answer).await["id"], 7);
}
