use std::collections::VecDeque;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::server::Server;
use crate::soon;

/// Somebody connected by a WebSocket.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) socket: WebSocketStream<TcpStream>,
    pub(crate) ready: Value,
    /// Frames that came while waiting for another.
    pub(crate) waiting: VecDeque<Value>,
    pub(crate) next_id: u64,
}

/// A handshake with these headers; what came of it.
pub(crate) async fn handshake(
    server: &Server,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<WebSocketStream<TcpStream>, tungstenite::Error> {
    let mut request = format!("ws://{}{path}", server.address).into_client_request()?;
    for (name, value) in headers {
        let name: tungstenite::http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(server.address).await?;
    let connecting = tokio_tungstenite::client_async(request, stream);
    Ok(soon("a handshake", connecting).await?.0)
}

/// The status with which a handshake was refused.
pub(crate) async fn refused(server: &Server, path: &str, headers: &[(&str, &str)]) -> u16 {
    match handshake(server, path, headers).await {
        Err(tungstenite::Error::Http(response)) => response.status().as_u16(),
        other => panic!("not refused: {other:?}"),
    }
}

impl Person {
    pub(crate) async fn connect(server: &Server, token: &str) -> Self {
        Self::try_connect(server, token).await.expect("connected")
    }

    /// Connects to a server that may end meanwhile.
    pub(crate) async fn try_connect(server: &Server, token: &str) -> Option<Self> {
        let authorization = format!("Bearer {token}");
        let headers =
            [("authorization", authorization.as_str()), ("sec-websocket-protocol", "chat.v1")];
        let socket = handshake(server, "/api/chat/ws", &headers).await.ok()?;
        Self::try_greeted(socket).await
    }

    /// Waits for the greeting.
    pub(crate) async fn greeted(socket: WebSocketStream<TcpStream>) -> Self {
        Self::try_greeted(socket).await.expect("a greeting")
    }

    async fn try_greeted(socket: WebSocketStream<TcpStream>) -> Option<Self> {
        let mut person = Self { socket, ready: Value::Null, waiting: VecDeque::new(), next_id: 1 };
        let mut ready = person.frame().await?;
        assert_eq!(ready["type"], "session.ready");
        person.ready = ready["payload"].take();
        Some(person)
    }

    /// The next frame; none when the connection has ended.
    pub(crate) async fn frame(&mut self) -> Option<Value> {
        if let Some(frame) = self.waiting.pop_front() {
            return Some(frame);
        }
        loop {
            match soon("a frame", self.socket.next()).await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next frame for which `wanted` holds; those before it stay waiting.
    pub(crate) async fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let mut passed = VecDeque::new();
        loop {
            let frame = self.frame().await?;
            if wanted(&frame) {
                passed.append(&mut self.waiting);
                self.waiting = passed;
                return Some(frame);
            }
            passed.push_back(frame);
        }
    }

    /// The payload of the next event of a type.
    pub(crate) async fn event(&mut self, kind: &str) -> Value {
        let frame = self.wait_for(|frame| frame["type"] == kind).await;
        frame.unwrap_or_else(|| panic!("closed before {kind}"))["payload"].take()
    }

    /// Sends a command without waiting; returns its id, or none when the connection has ended.
    pub(crate) async fn begin(&mut self, kind: &str, payload: Value) -> Option<u64> {
        let id = self.next_id;
        self.next_id += 1;
        let frame = json!({"id": id, "type": kind, "payload": payload}).to_string();
        self.socket.send(Message::text(frame)).await.ok().map(|()| id)
    }

    /// The answer to a command: its payload, or its error; none when the connection ended first.
    pub(crate) async fn answer(&mut self, id: u64) -> Option<Result<Value, Value>> {
        let mut frame = self.wait_for(|frame| frame["id"] == id).await?;
        let payload = frame["payload"].take();
        Some(if frame["type"] == "reply" { Ok(payload) } else { Err(payload) })
    }

    pub(crate) async fn tries(&mut self, kind: &str, payload: Value) -> Result<Value, Value> {
        let id = self.begin(kind, payload).await.expect("connected");
        self.answer(id).await.unwrap_or_else(|| panic!("closed before {kind} was answered"))
    }

    pub(crate) async fn does(&mut self, kind: &str, payload: Value) -> Value {
        self.tries(kind, payload).await.unwrap_or_else(|error| panic!("{kind}: {error}"))
    }

    pub(crate) async fn opens(&mut self, username: &str) -> String {
        let reply = self.does("conversation.open", json!({"username": username})).await;
        reply["conversation"]["conversationId"].as_str().unwrap().into()
    }

    pub(crate) async fn sends(&mut self, place: &str, text: &str) -> Value {
        let payload = json!({"conversationId": place, "content": text});
        self.does("message.send", payload).await["message"].take()
    }

    /// Waits for a message of this text.
    pub(crate) async fn sees(&mut self, text: &str) -> Value {
        let seen = self.wait_for(|frame| {
            frame["type"] == "message.created" && frame["payload"]["message"]["content"] == text
        });
        seen.await.unwrap_or_else(|| panic!("closed before {text}"))["payload"].take()
    }

    /// Waits for the end of the connection, and returns its code.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            match soon("a close", self.socket.next()).await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}
