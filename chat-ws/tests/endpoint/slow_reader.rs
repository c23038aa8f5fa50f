//! A session whose client does not read, over a real socket but without an endpoint, so that its
//! end is seen from the inside: a client that reads nothing is not told why it is closed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use chat_core::auth::Identity;
use chat_core::proto::{ConversationId, LoginSessionId, MessageSend, PeerTarget};
use chat_core::{Actor, Chat, MemoryStore};
use chat_ws::{ConnectionConfig, Ended, serve};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::server::{NEVER, chat_config, soon};

/// Bo, who is connected and reads nothing, and Ada, who writes to him.
#[derive(Debug)]
struct Silence {
    chat: Chat,
    conversation_id: ConversationId,
    login: LoginSessionId,
    connection: JoinHandle<Ended>,
    /// Told when a write has to wait.
    blocked: Arc<Notify>,
    /// Bo's end. It is only kept.
    _client: TcpStream,
}

impl Silence {
    async fn begin() -> Self {
        let chat = Chat::builder(Arc::new(MemoryStore::new())).config(chat_config()).build();
        let login = LoginSessionId::generate();
        let identity = Identity { login: Some(login), ..Identity::of("bo".parse().unwrap()) };
        let session = chat.attach(&identity).await.unwrap();
        chat.admit(&Identity::of("ada".parse().unwrap()).claims).await.unwrap();
        let bo = PeerTarget { user_id: Some("bo".parse().unwrap()), username: None };
        let opened = chat.open_direct(&ada(), &bo).await.unwrap();

        let (client, stream) = sockets().await;
        let blocked = Arc::new(Notify::new());
        let stream = Watched { stream, blocked: Arc::clone(&blocked) };
        let config = ConnectionConfig { write_timeout: NEVER, ..ConnectionConfig::default() };
        let connection = tokio::spawn(async move {
            serve(stream, session, &config, &CancellationToken::new()).await
        });
        let conversation_id = opened.conversation.id;
        Self { chat, conversation_id, login, connection, blocked, _client: client }
    }

    async fn ada_sends(&self) {
        let (conversation_id, content) = (self.conversation_id, "x".repeat(4_000));
        let message = MessageSend { conversation_id, client_id: None, content };
        soon(self.chat.send(&ada(), message)).await.unwrap();
        // The connection takes what it takes of it.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    /// The code with which the server ends the connection.
    async fn ends(self) -> u16 {
        match soon(self.connection).await.unwrap() {
            Ended::ByServer(closing) => closing.code(),
            other => panic!("not by the server: {other:?}"),
        }
    }
}

fn ada() -> Actor {
    Actor::user("ada".parse().unwrap())
}

/// Two ends of a connection with small buffers.
async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpSocket::new_v4().unwrap();
    listener.set_send_buffer_size(16 * 1024).unwrap();
    listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = listener.listen(1).unwrap();
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(16 * 1024).unwrap();
    let client = soon(client.connect(listener.local_addr().unwrap())).await.unwrap();
    (client, soon(listener.accept()).await.unwrap().0)
}

/// A stream that tells when it takes no more.
#[derive(Debug)]
struct Watched {
    stream: TcpStream,
    blocked: Arc<Notify>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_pending() {
            self.blocked.notify_one();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_reader_that_stops_is_ended_for_what_waits_and_not_for_the_time() {
    let silence = Silence::begin().await;
    let mut sent = 0;
    while !silence.connection.is_finished() && sent < 2_000 {
        silence.ada_sends().await;
        sent += 1;
    }
    assert_eq!(silence.ends().await, 4001);
}

#[tokio::test]
async fn a_login_that_ends_does_not_wait_for_a_reader_that_has_stopped() {
    let silence = Silence::begin().await;
    // More than the sockets hold, and less than may wait in all.
    for _ in 0..100 {
        silence.ada_sends().await;
    }
    soon(silence.blocked.notified()).await;
    // So much waits now that the session is not asked for more.
    for _ in 0..100 {
        silence.ada_sends().await;
    }
    assert!(!silence.connection.is_finished());
    silence.chat.end_logins(&"bo".parse().unwrap(), &[silence.login]);
    assert_eq!(silence.ends().await, 4501);
}
