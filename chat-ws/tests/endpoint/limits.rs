use chat_core::Actor;
use chat_core::proto::{Heartbeat, MessageSend};
use chat_ws::{ConnectionConfig, WsConfig};
use futures::StreamExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, request};
use crate::server::{NEVER, Server, chat_config, soon, ws_config};

#[tokio::test]
async fn a_message_over_the_limit_closes_and_the_code_arrives() {
    let server = Server::start().await;
    for size in [64 * 1024 + 1, 3 * 1024 * 1024] {
        let mut ada = Client::connect(&server, "ada").await;
        let header = [0x81, 0xff, 0, 0, 0, 0];
        let length = u32::try_from(size).unwrap().to_be_bytes();
        let stream = ada.socket.get_mut();
        soon(stream.write_all(&[&header, &length[..], &[0; 4]].concat())).await.unwrap();
        // The server stops reading at some point; what counts is that its close frame is not lost.
        let _ = soon(stream.write_all(&vec![b'x'; size])).await;
        assert_eq!(ada.close_code().await, 1009, "{size} bytes");
    }
}

#[tokio::test]
async fn the_largest_message_is_taken() {
    let server = Server::start().await;
    let mut ada = Client::connect(&server, "ada").await;
    let mut command = json!({ "id": 1, "type": "ping", "payload": { "filler": "" } });
    let bare = command.to_string().len();
    command["payload"]["filler"] = "x".repeat(64 * 1024 - bare).into();
    assert_eq!(command.to_string().len(), 64 * 1024);
    ada.send(&command).await;
    assert_eq!(ada.frame_of("reply").await["id"], 1);
}

#[tokio::test]
async fn a_client_that_does_not_answer_pings_is_closed() {
    let mut chat = chat_config();
    chat.heartbeat = Heartbeat { ping_interval_ms: 50, pong_timeout_ms: 100 };
    let server = Server::with(ws_config(), chat).await;
    // By hand, because a codec answers pings.
    let (mut stream, mut bytes) = request(
        &server,
        &format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Authorization: Bearer ada\r\n\r\n",
            server.address
        ),
    )
    .await;
    assert!(bytes.starts_with(b"HTTP/1.1 101 "));
    soon(stream.read_to_end(&mut bytes)).await.unwrap();
    let [high, low] = 4002_u16.to_be_bytes();
    let is_close = |window: &[u8]| window[0] == 0x88 && window[2..] == [high, low];
    assert!(bytes.windows(4).any(is_close));
    server.has_connections(0).await;
}

/// A reader that stops costs a known amount, and nobody else notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_is_ended_and_others_get_everything() {
    const MESSAGES: u64 = 3_000;
    const WINDOW: u64 = 50;
    // What ends the reader is what waits for it, and not the time it takes.
    let connection = ConnectionConfig { write_timeout: NEVER, ..ConnectionConfig::default() };
    let server = Server::with(WsConfig { connection, ..ws_config() }, chat_config()).await;
    let mut ada = Client::connect(&server, "ada").await;
    let mut bo = Client::connect(&server, "bo").await;
    let mut cy = Client::connect(&server, "cy").await;
    let room = json!({ "name": "general", "visibility": "public" });
    let room = ada.ask("conversation.create", room).await;
    let place = room["conversation"]["conversationId"].clone();
    for client in [&mut bo, &mut cy] {
        client.ask("conversation.join", json!({ "conversationId": place })).await;
    }

    let conversation_id = place.as_str().unwrap().parse().unwrap();
    let actor = Actor::user("ada".parse().unwrap());
    let mut expected = 1;
    while expected <= MESSAGES {
        // No faster than those can read who do.
        for _ in 0..WINDOW {
            let content = "x".repeat(4_000);
            let message = MessageSend { conversation_id, client_id: None, content };
            server.chat.send(&actor, message).await.unwrap();
        }
        for seq in expected..expected + WINDOW {
            for client in [&mut ada, &mut cy] {
                let event = client.frame_of("message.created").await;
                assert_eq!(event["payload"]["message"]["seq"], seq);
            }
        }
        expected += WINDOW;
    }
    server.has_connections(2).await;

    let mut received = 0;
    let mut code = None;
    while let Some(Ok(message)) = soon(bo.socket.next()).await {
        match message {
            Message::Text(_) => received += 1,
            Message::Close(frame) => code = frame.map(|frame| u16::from(frame.code)),
            _ => {}
        }
    }
    assert!(received < MESSAGES, "nobody kept it all");
    assert!(code.is_none() || code == Some(4001), "{code:?}");
    // And a device that comes back is told the rest.
    let mut bo = Client::connect(&server, "bo").await;
    let page = bo.ask("history.load", json!({ "conversationId": place, "limit": 1 })).await;
    assert_eq!(page["data"][0]["seq"], MESSAGES);
}

#[tokio::test]
async fn a_flood_of_pings_does_not_stop_the_others() {
    let server = Server::start().await;
    let mut flooder = Client::connect(&server, "ada").await;
    let flood = [0x89, 0x80, 0, 0, 0, 0].repeat(50_000);
    let flooding = tokio::spawn(async move {
        // It is read so slowly that it is never done.
        let _ = flooder.socket.get_mut().write_all(&flood).await;
    });
    let mut bo = Client::connect(&server, "bo").await;
    for _ in 0..50 {
        bo.ask("ping", json!({})).await;
    }
    flooding.abort();
}
