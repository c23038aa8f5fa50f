//! A server on a free port, and the smallest client that can talk to it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use chat_server::Server;
use chat_server::config::Config;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than anything that a test waits for, and short enough to notice that it does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The headers of a WebSocket handshake (RFC 6455 §1.3).
pub(crate) const WEBSOCKET: &str = "upgrade: websocket\r\nconnection: upgrade\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) data: TempDir,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl TestServer {
    /// Starts a server in development mode, changed by `change`.
    pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(tempfile::tempdir().unwrap(), change).await
    }

    pub(crate) async fn start_on(data: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            data: data.path().join("chat"),
            ..Config::development()
        };
        change(&mut config);
        let server = Server::bind(config).await.unwrap();
        let address = server.local_addr();
        let stop = CancellationToken::new();
        let running = tokio::spawn(server.run(stop.clone().cancelled_owned()));
        Self { address, data, stop, running }
    }

    /// Asks the server to stop.
    pub(crate) fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Stops the server and waits until it has.
    pub(crate) async fn stop(self) -> TempDir {
        self.stop.cancel();
        timeout(PATIENCE, self.running).await.expect("the server stops").unwrap();
        self.data
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// A connection that has a place. Tries again while there is none, since the server learns of
    /// the end of earlier connections in its own time.
    pub(crate) async fn connect_to_place(&self) -> Client {
        let connecting = async {
            loop {
                let mut client = self.connect().await;
                client.send("GET /healthz HTTP/1.1", "").await;
                if client.answer().await.is_some_and(|answer| answer.status == 200) {
                    return client;
                }
            }
        };
        timeout(PATIENCE, connecting).await.expect("a place in time")
    }

    /// A device of a user, connected by WebSocket and greeted.
    pub(crate) async fn device(&self, user: &str) -> Client {
        let token = self.token_for(user).await;
        let mut client = self.connect().await;
        let head =
            format!("GET /api/chat/ws HTTP/1.1\r\n{WEBSOCKET}\r\nauthorization: Bearer {token}");
        client.send(&head, "").await;
        assert_eq!(client.answer().await.unwrap().status, 101);
        client.reads("session.ready").await;
        client
    }

    /// What the server answers to whoever asks for a token, from this machine.
    pub(crate) async fn dev_token(&self, body: &str) -> Answer {
        self.request("POST /dev/token HTTP/1.1\r\nhost: localhost", body).await
    }

    /// A token of development for a user.
    pub(crate) async fn token_for(&self, user: &str) -> String {
        let answer = self.dev_token(&format!("{{\"userId\": \"{user}\"}}")).await.json();
        answer["token"].as_str().unwrap().to_owned()
    }

    /// What the server answers to whoever asks who the bearer of a token is.
    pub(crate) async fn me(&self, token: &str) -> Answer {
        let head = format!("GET /api/chat/auth/me HTTP/1.1\r\nauthorization: Bearer {token}");
        self.request(&head, "").await
    }

    /// One request on a connection of its own.
    pub(crate) async fn request(&self, head: &str, body: &str) -> Answer {
        request(self.address, head, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(&format!("GET {path} HTTP/1.1"), "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let head = format!("POST {path} HTTP/1.1\r\ncontent-type: application/json");
        self.request(&head, body).await
    }
}

/// One request on a connection of its own.
pub(crate) async fn request(address: SocketAddr, head: &str, body: &str) -> Answer {
    let mut client = Client::connect(address).await;
    client.send(head, body).await;
    client.answer().await.expect("an answer")
}

pub(crate) struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    /// Sends a request; the head may have header lines, divided by CRLF. Without a host among them
    /// it is `chat.test`.
    pub(crate) async fn send(&mut self, head: &str, body: &str) {
        let host = if head.contains("\r\nhost: ") { "" } else { "\r\nhost: chat.test" };
        let request = format!("{head}{host}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        self.send_raw(request.as_bytes()).await;
    }

    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Sends a text as one WebSocket message, masked with zeros (RFC 6455 §5.3).
    pub(crate) async fn sends(&mut self, text: &str) {
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 126).unwrap();
        let head = [0x81, 0x80 | length, 0, 0, 0, 0];
        self.send_raw(&[&head, text.as_bytes()].concat()).await;
    }

    /// Sends as much as the server takes, and reads nothing of what it answers.
    pub(crate) async fn sends_and_never_reads(&mut self, bytes: &[u8]) {
        // A connection that the server gives up is what is waited for elsewhere.
        let _ = self.stream.write_all(bytes).await;
        std::future::pending().await
    }

    /// The next answer; none when the server closes the connection instead.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        timeout(PATIENCE, self.read_answer()).await.expect("an answer or the end in time")
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            if !self.read_more().await {
                return None;
            }
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers: HashMap<String, String> = HashMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let values = headers.entry(name.to_lowercase()).or_default();
            // One that comes more than once has a line for each.
            *values = [values.as_str(), value].join("\n").trim_start().to_owned();
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        while self.read.len() < length {
            assert!(self.read_more().await, "the answer is cut off");
        }
        let body = self.read.drain(..length).collect();
        Some(Answer { status, headers, body })
    }

    /// Waits until the server closes the connection, and returns what it sent before.
    pub(crate) async fn closed(&mut self) -> Vec<u8> {
        timeout(PATIENCE, async { while self.read_more().await {} }).await.expect("closed in time");
        std::mem::take(&mut self.read)
    }

    /// Waits until the server has sent this text.
    pub(crate) async fn reads(&mut self, text: &str) {
        let contains = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        let reading = async {
            while !contains(&self.read) {
                assert!(self.read_more().await, "closed before {text}");
            }
        };
        timeout(PATIENCE, reading).await.expect("in time");
    }

    async fn read_more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        // A connection that is reset is as closed as one that is ended.
        let count = self.stream.read(&mut buffer).await.unwrap_or(0);
        self.read.extend_from_slice(&buffer[..count]);
        count > 0
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}
