use std::convert::Infallible;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use chat_auth::{JwtAuthenticator, JwtConfig};
use chat_benches::one_by_one;
use chat_core::breaker::{Breaker, BreakerConfig};
use chat_core::store::Store;
use chat_core::{Chat, ChatConfig, MemoryStore};
use chat_store::SqliteStore;
use chat_ws::{ConnectionConfig, WsConfig, WsEndpoint};
use clap::{Args, ValueEnum};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::bare::Pages;
use super::statements;
use crate::Failure;
use crate::world::{World, key};

/// A rate that nobody reaches.
const UNLIMITED: u32 = 1_000_000;

/// `chat-load serve`: the engine and its WebSockets, as the server has them, on a store that the
/// server does not offer; or pages of a database without any engine. Listens at a free port of
/// 127.0.0.1, and prints which.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where messages go
    store: Kept,
    /// The file of the database; for a store in memory, of the world that it begins with
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kept {
    Memory,
    Sqlite,
    OneByOne,
    Counted,
    Bare,
}

/// Who answers.
#[derive(Debug, Clone)]
enum Answering {
    Engine(WsEndpoint),
    Pages(Arc<Pages>),
}

impl Serve {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(self.serve())
    }

    async fn store(&self) -> Result<Arc<dyn Store>, Failure> {
        if let Kept::Memory = self.store {
            let world: World = serde_json::from_slice(&std::fs::read(&self.file)?)?;
            let store = MemoryStore::new();
            world.fill(&store).await?;
            return Ok(Arc::new(store));
        }
        let path = self.file.to_str().ok_or("a path that is no text")?;
        let store = Arc::new(SqliteStore::open(path).await?);
        Ok(if let Kept::OneByOne = self.store { one_by_one(store) } else { store })
    }

    async fn answering(&self) -> Result<Answering, Failure> {
        match self.store {
            Kept::Bare => return Ok(Answering::Pages(Pages::open(&self.file).await?)),
            Kept::Counted => statements::count()?,
            Kept::Memory | Kept::Sqlite | Kept::OneByOne => {}
        }
        let breaker = Breaker::new(BreakerConfig::default());
        let chat = Chat::builder(Arc::new(breaker.guard(self.store().await?)));
        let chat = chat.config(unlimited()).build();
        let users = Arc::new(JwtAuthenticator::hs256(&key()?, JwtConfig::default())?);
        let connection = ConnectionConfig {
            frames_per_second: UNLIMITED,
            frame_burst: UNLIMITED,
            ..ConnectionConfig::default()
        };
        let config = WsConfig { connection, ..WsConfig::default() };
        Ok(Answering::Engine(WsEndpoint::new(chat, users, config)))
    }

    async fn serve(&self) -> Result<(), Failure> {
        let answering = self.answering().await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "an embedding listens on http://{}", listener.local_addr()?)?;
        stdout.flush()?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let answering = answering.clone();
            let service = service_fn(move |request| {
                let answering = answering.clone();
                async move { Ok::<_, Infallible>(answering.answer(request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .max_buf_size(16 * 1024)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::spawn(connection);
        }
    }
}

impl Answering {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match self {
            Self::Engine(_) if request.uri().path() == statements::PATH => {
                Response::new(statements::counted().to_string().into())
            }
            Self::Engine(endpoint) => endpoint.handle(request).await,
            Self::Pages(pages) => pages.answer(&request).await.unwrap_or_else(|error| {
                let mut response = Response::new(error.to_string().into());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }),
        }
    }
}

/// As by default, but without limits and pings that would be in the way.
fn unlimited() -> ChatConfig {
    let mut config = ChatConfig::default();
    config.limits = config.limits.without_rates();
    config.limits.messages_per_second = UNLIMITED;
    config.limits.message_burst = UNLIMITED;
    config.limits.sessions_per_user = 10_000;
    config.heartbeat.ping_interval_ms = 24 * 60 * 60 * 1_000;
    config
}
