//! Clients that ask for much and read nothing: nobody else is refused anything.

use futures::SinkExt;
use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::home::Home;
use crate::person::Person;
use crate::server::Server;
use crate::soon;

/// Who asks, and from how many connections each.
const ASKERS: [&str; 5] = ["ann", "ben", "cat", "dan", "eve"];
const CONNECTIONS: usize = 8;
/// How often others do what they do meanwhile.
const ROUNDS: usize = 10;

const UNLIMITED: [&str; 5] =
    ["--dev", "--set", "limits.messages_per_second=100000", "--set", "limits.message_burst=100000"];

pub(crate) async fn clients_that_read_nothing_take_nothing_from_others(home: Home) {
    let server = Server::start_with(&home, &UNLIMITED).await;
    let bo = server.register("bo").await;
    let mut owner = Person::connect(&server, &server.host_token("ada").await).await;
    let made = owner.does("conversation.create", json!({"name": "general"})).await;
    let room = made["conversation"]["id"].as_str().unwrap().to_owned();
    let text = "\u{1f600}".repeat(4_000);
    for _ in 0..100 {
        owner.sends(&room, &text).await;
    }
    let mut unread = Vec::new();
    for name in ASKERS {
        let token = server.host_token(name).await;
        let mut person = Person::connect(&server, &token).await;
        person.does("conversation.join", json!({"conversationId": room})).await;
        for _ in 0..CONNECTIONS {
            unread.push(asks_and_reads_nothing(&server, &token, &room).await);
        }
    }
    for _ in 0..ROUNDS {
        let answer = server.request("GET", "/conversations", Some(&bo), None).await;
        assert_eq!(answer.status, 200, "a read: {}", answer.body);
        let body = json!({"username": "bo", "password": "correct horse battery"});
        let answer = server.request("POST", "/auth/login", None, Some(body)).await;
        assert_eq!(answer.status, 200, "a login: {}", answer.body);
        let mut person = Person::connect(&server, &bo).await;
        person.does("presence.list", json!({})).await;
    }
    drop(unread);
}

/// A connection with a small buffer that has asked for the same large page 64 times.
async fn asks_and_reads_nothing(
    server: &Server,
    token: &str,
    room: &str,
) -> WebSocketStream<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let stream = soon("a connection", socket.connect(server.address)).await.unwrap();
    let url = format!("ws://{}/api/chat/ws", server.address);
    let mut request = url.into_client_request().unwrap();
    let authorization = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", authorization);
    let mut socket = soon("a handshake", client_async(request, stream)).await.unwrap().0;
    for id in 0..64 {
        let payload = json!({"conversationId": room, "limit": 100});
        let frame = json!({"id": id, "type": "history.load", "payload": payload}).to_string();
        socket.feed(Message::text(frame)).await.unwrap();
    }
    soon("a flush", socket.flush()).await.unwrap();
    socket
}
