//! A connection that breaks at a chosen moment.

#![allow(dead_code, reason = "each test uses some of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// How Postgres is told to commit: a simple query of that one word.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// When the next connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cut {
    Never = 0,
    /// When the client has asked to commit, before the server hears of it.
    BeforeCommit = 1,
    /// When the server has committed, before the client hears of it.
    AfterCommit = 2,
}

/// Stands before a server on the same machine.
pub(crate) struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    cut: AtomicU8,
    cuts: AtomicU32,
}

impl Proxy {
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        tokio::spawn({
            let state = Arc::clone(&state);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                    tokio::spawn(connection(client, server, Arc::clone(&state)));
                }
            }
        });
        Self { port, state }
    }

    /// Where to connect to instead.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Breaks the next connection that commits.
    pub(crate) fn cut_next(&self, cut: Cut) {
        self.state.cut.store(cut as u8, Ordering::SeqCst);
    }

    /// How many connections were broken.
    pub(crate) fn cuts(&self) -> u32 {
        self.state.cuts.load(Ordering::SeqCst)
    }
}

/// Passes on what both sides say, until one of them is done or the moment has come.
async fn connection(client: TcpStream, server: TcpStream, state: Arc<State>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let swallow = Arc::new(Notify::new());
    tokio::select! {
        () = requests(from_client, to_server, &state, &swallow) => {}
        () = answers(from_server, to_client, &swallow) => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &State,
    swallow: &Notify,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if bytes[..length].ends_with(COMMIT) {
            let cut = state.cut.swap(Cut::Never as u8, Ordering::SeqCst);
            if cut != Cut::Never as u8 {
                state.cuts.fetch_add(1, Ordering::SeqCst);
            }
            if cut == Cut::BeforeCommit as u8 {
                return;
            }
            if cut == Cut::AfterCommit as u8 {
                swallow.notify_one();
            }
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, swallow: &Notify) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let length = tokio::select! {
            biased;
            () = swallow.notified() => {
                // The answer means that it is done; nobody will hear of it.
                let _ = from.read(&mut bytes).await;
                return;
            }
            read = from.read(&mut bytes) => match read {
                Ok(length @ 1..) => length,
                _ => return,
            },
        };
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
