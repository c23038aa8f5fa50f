use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use chat_tests::history::{Change, Message as Told};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// How long a node may take to greet before another one is tried.
const GREETING: Duration = Duration::from_millis(1_500);
/// How long nothing may come, pings neither, before a node is taken for dead: those come twice a
/// second, and a machine may be busy.
const SILENCE: Duration = Duration::from_millis(2_500);

/// A connection that may end or go dead at any moment.
#[derive(Debug)]
pub(crate) struct Link {
    socket: WebSocketStream<TcpStream>,
    next_id: u64,
    /// When anything came last.
    heard: Instant,
}

impl Link {
    /// Connects, and waits for the greeting.
    pub(crate) async fn connect(address: SocketAddr, token: &str) -> Result<(Self, Value), Error> {
        let connecting = async {
            let mut request = format!("ws://{address}/api/chat/ws")
                .into_client_request()
                .map_err(Error::other)?;
            for (name, value) in [
                ("authorization", format!("Bearer {token}")),
                ("sec-websocket-protocol", "chat.v1".to_owned()),
            ] {
                request.headers_mut().insert(name, value.parse().map_err(Error::other)?);
            }
            let stream = TcpStream::connect(address).await?;
            let (socket, _) =
                tokio_tungstenite::client_async(request, stream).await.map_err(Error::other)?;
            let mut link = Self { socket, next_id: 1, heard: Instant::now() };
            let mut ready = link.frame().await?;
            if ready["type"] == "session.ready" {
                Ok((link, ready["payload"].take()))
            } else {
                Err(Error::other(format!("greeted with {ready}")))
            }
        };
        timeout(GREETING, connecting).await.map_err(|_| Error::from(ErrorKind::TimedOut))?
    }

    /// The next frame. Safe to cancel.
    pub(crate) async fn frame(&mut self) -> Result<Value, Error> {
        loop {
            let next = timeout_at(self.heard + SILENCE, self.socket.next()).await;
            let next = next.map_err(|_| Error::from(ErrorKind::TimedOut))?;
            self.heard = Instant::now();
            match next {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text).map_err(Error::other);
                }
                Some(Ok(Message::Close(frame))) => {
                    return Err(Error::other(format!("closed: {frame:?}")));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Error::other(error)),
                None => return Err(ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    /// Sends a command and returns its id.
    pub(crate) async fn send(&mut self, kind: &str, payload: &Value) -> Result<u64, Error> {
        let id = self.next_id;
        self.next_id += 1;
        let frame = json!({"id": id, "type": kind, "payload": payload}).to_string();
        let sending = timeout(SILENCE, self.socket.send(Message::text(frame))).await;
        sending.map_err(|_| Error::from(ErrorKind::TimedOut))?.map_err(Error::other)?;
        Ok(id)
    }
}

/// A message as a frame has it.
pub(crate) fn message_of(message: &Value) -> Told {
    Told {
        id: text(&message["id"]),
        seq: message["seq"].as_u64().unwrap(),
        change_seq: message["changeSeq"].as_u64().unwrap(),
        sender: text(&message["senderId"]),
        client_id: text(&message["clientId"]),
        content: text(&message["content"]),
    }
}

/// What a change event says, with its conversation and its number; none for other frames.
pub(crate) fn change_of(frame: &Value) -> Option<(String, u64, Change)> {
    let payload = &frame["payload"];
    let change = match frame["type"].as_str()? {
        "message.created" => Change::Message(message_of(&payload["message"])),
        kind @ ("member.joined" | "member.left") => {
            let user = text(&payload["member"]["userId"]);
            Change::Member { user, joined: kind == "member.joined" }
        }
        _ => return None,
    };
    Some((text(&payload["conversationId"]), payload["changeSeq"].as_u64().unwrap(), change))
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
