use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::server::{Server, soon};

/// A refused handshake.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Refusal {
    pub(crate) fn code(&self) -> (u16, &str) {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], self.status);
        (self.status, self.body["code"].as_str().unwrap())
    }
}

/// A device that is connected.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
    pub(crate) subprotocol: Option<String>,
    next_id: u64,
}

impl Client {
    /// Connects with these headers.
    pub(crate) async fn try_connect(
        server: &Server,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Box<Refusal>> {
        let address = server.address;
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let stream = soon(socket.connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        match soon(client_async(request, stream)).await {
            Ok((socket, response)) => {
                let subprotocol = response.headers().get("sec-websocket-protocol");
                let subprotocol = subprotocol.map(|name| name.to_str().unwrap().to_owned());
                Ok(Self { socket, subprotocol, next_id: 1 })
            }
            Err(Error::Http(response)) => {
                let (head, body) = response.into_parts();
                let body = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
                let status = head.status.as_u16();
                Err(Box::new(Refusal { status, headers: head.headers, body }))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Connects with a token, and takes the greeting.
    pub(crate) async fn connect(server: &Server, token: &str) -> Self {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("sec-websocket-protocol", "chat.v1")];
        let mut client = Self::try_connect(server, "/", &headers).await.unwrap();
        assert_eq!(client.frame().await["type"], "session.ready");
        client
    }

    /// Connects without saying who it is.
    pub(crate) async fn connect_unknown(server: &Server) -> Self {
        Self::try_connect(server, "/", &[]).await.unwrap()
    }

    pub(crate) async fn send(&mut self, frame: &Value) {
        soon(self.socket.send(Message::text(frame.to_string()))).await.unwrap();
    }

    /// The next frame of the protocol.
    pub(crate) async fn frame(&mut self) -> Value {
        loop {
            match soon(self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no frame but {other:?}"),
            }
        }
    }

    /// The next frame of this type; others are passed over.
    pub(crate) async fn frame_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// Sends a command and waits for its reply; events are passed over.
    pub(crate) async fn ask(&mut self, kind: &str, payload: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({ "id": id, "type": kind, "payload": payload })).await;
        loop {
            let mut frame = self.frame().await;
            if frame["id"] == id {
                assert_eq!(frame["type"], "reply", "{frame}");
                return frame["payload"].take();
            }
        }
    }

    /// The code with which the server closes; frames before it are passed over.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            match soon(self.socket.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(_)) => {}
                other => panic!("no close frame but {other:?}"),
            }
        }
    }

    /// Answers the server's close frame and waits for the end of the stream.
    pub(crate) async fn finish(mut self) {
        while let Some(Ok(_)) = soon(self.socket.next()).await {}
    }

    /// Sends a binary message.
    pub(crate) async fn send_binary(&mut self, bytes: &'static [u8]) {
        soon(self.socket.send(Message::Binary(Bytes::from_static(bytes)))).await.unwrap();
    }
}

/// Sends a request written by hand, and reads to the end of the answer's head.
pub(crate) async fn request(server: &Server, head: &str) -> (TcpStream, Vec<u8>) {
    let mut stream = soon(TcpStream::connect(server.address)).await.unwrap();
    soon(stream.write_all(head.as_bytes())).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = soon(stream.read(&mut buffer)).await.unwrap();
        assert!(read > 0, "no answer");
        answer.extend_from_slice(&buffer[..read]);
    }
    (stream, answer)
}
