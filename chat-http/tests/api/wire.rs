//! What only shows on a real connection: where a body begins and ends.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::{Api, BASE};

/// A host on a free port of this machine, stopped when dropped.
struct Host {
    api: Api,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Host {
    async fn start() -> Self {
        let api = Api::start();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = api.router();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { api, address, serving }
    }

    /// Sends the head of a request and a part of its body, and returns the answer's status line.
    async fn asks(&self, method_and_path: &str, rest: &str) -> String {
        let (method, path) = method_and_path.split_once(' ').unwrap();
        let request = format!(
            "{method} {BASE}{path} HTTP/1.1\r\nHost: chat.example.org\r\nConnection: close\r\n\
             Authorization: Bearer ada\r\n{rest}"
        );
        let talking = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = vec![0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            String::from_utf8(answer).unwrap()
        };
        tokio::time::timeout(Duration::from_secs(10), talking).await.expect("an answer in time")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[tokio::test]
async fn a_body_of_no_bytes_is_no_body_whatever_its_type() {
    let host = Host::start().await;
    let room = host.api.bo().makes_room("general", "public").await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n\r\n";
    let join = format!("POST /conversations/{room}/join");
    assert_eq!(host.asks(&join, form).await, "HTTP/1.1 200");
    let read = format!("POST /conversations/{room}/read");
    assert_eq!(host.asks(&read, form).await, "HTTP/1.1 200");
    assert_eq!(host.asks(&read, "\r\n").await, "HTTP/1.1 200");
}

#[tokio::test]
async fn a_body_comes_in_pieces() {
    let host = Host::start().await;
    let rest = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
                9\r\n{\"name\": \r\nA\r\n\"general\"}\r\n0\r\n\r\n";
    assert_eq!(host.asks("POST /conversations", rest).await, "HTTP/1.1 201");
    let form = rest.replace("application/json", "text/plain");
    assert_eq!(host.asks("POST /conversations", &form).await, "HTTP/1.1 415");
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_not_waited_for() {
    let host = Host::start().await;
    let rest = "Content-Type: application/json\r\nContent-Length: 65537\r\n\r\n{";
    assert_eq!(host.asks("POST /conversations", rest).await, "HTTP/1.1 413");
}
