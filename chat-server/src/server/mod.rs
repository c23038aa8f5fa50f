//! The network: listen, accept, serve, drain.

mod accept;
mod backoff;
mod capacity;
mod connection;
mod error;
mod guarded;
mod keep_alive;
mod refusal;
mod settings;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chat_core::auth::{OriginPolicy, PLAIN_SESSION_COOKIE, SECURE_SESSION_COOKIE};
use chat_ws::{ConnectionConfig, WsConfig, WsEndpoint};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::accept::Acceptor;
use self::capacity::Capacity;
pub use self::error::StartError;
use self::guarded::GuardedStream;
use self::keep_alive::KeepAlive;
use self::settings::ConnectionSettings;
use crate::config::Config;
use crate::http::Site;
use crate::{Engine, demo};

/// How often expired sessions are removed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How many connections may wait until they are taken, unless the system has a lower limit
/// (`net.core.somaxconn`). Who finds no place tries again after one second, three and seven.
const WAITING: u32 = 4096;

/// A server that listens, and answers once it runs.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    engine: Engine,
    ws: WsEndpoint,
    acceptor: Acceptor,
    /// Cancelled when the server begins to stop.
    leaving: CancellationToken,
    delay: Duration,
    drain: Duration,
}

impl Server {
    /// Takes the address and opens the data folder. Connections wait until [`Server::run`].
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        config.validate()?;
        if config.dev && !config.dev_allow_remote && !config.listen.ip().is_loopback() {
            return Err(StartError::RemoteDevelopment(config.listen));
        }
        let failed = |source| StartError::listen(config.listen, source);
        let listener = listen(config.listen).map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        let engine = Engine::open(&config).await?;
        if config.dev {
            demo::prepare(&engine).await.map_err(StartError::Demo)?;
        } else {
            demo::retire(&engine).await?;
        }
        let leaving = CancellationToken::new();
        let authenticator = engine.authenticator.clone();
        let ws = WsEndpoint::over::<GuardedStream>(
            engine.chat.clone(),
            authenticator,
            ws_config(&config),
        );
        let acceptor = Acceptor {
            site: Site::new(&engine, ws.clone(), &leaving, &config),
            settings: ConnectionSettings {
                header_timeout: Duration::from_millis(config.http.header_timeout_ms),
                header_bytes: config.http.header_bytes,
                write_timeout: Duration::from_millis(config.http.write_timeout_ms),
            },
            capacity: Arc::new(Capacity::new(&config.connections)),
            keep_alive: Arc::new(KeepAlive::new(
                Duration::from_millis(config.http.idle_timeout_ms),
                config.http.idle_connections,
            )),
            connections: TaskTracker::new(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
        };
        let delay = Duration::from_millis(config.drain_delay_ms);
        let drain = Duration::from_secs(config.drain_seconds);
        Ok(Self { listener, local_addr, engine, ws, acceptor, leaving, delay, drain })
    }

    /// The address that clients connect to, with the real port where port 0 was asked for.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `shutdown` is ready. From then on `/readyz` says that it is not ready. When a
    /// load balancer has had the configured time to see that, it takes no more connections, asks
    /// devices to come back later, waits for what is going on, at most as long as configured, and
    /// closes the store.
    ///
    /// Dropping this future instead ends everything at once; what was acknowledged is stored.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, engine, ws, acceptor, leaving, delay, drain, .. } = self;
        let stopping = async {
            shutdown.await;
            leaving.cancel();
            if !delay.is_zero() {
                tracing::info!(?delay, "stopping: not ready any more, connections are still taken");
                tokio::time::sleep(delay).await;
            }
        };
        tokio::select! {
            () = stopping => {}
            () = acceptor.accept_from(&listener) => {}
            () = sweep(&engine) => {}
        }
        drop(listener);
        tracing::info!(connections = ws.connections(), "stopping: no more connections are taken");
        engine.chat.drain(drain);
        acceptor.stop.cancel();
        acceptor.connections.close();
        let requests = async {
            if timeout(drain, acceptor.connections.wait()).await.is_err() {
                tracing::warn!(connections = acceptor.connections.len(), "requests are cut off");
                acceptor.cut.cancel();
                acceptor.connections.wait().await;
            }
        };
        tokio::join!(requests, ws.shutdown(drain));
        engine.close().await;
        tracing::info!("stopped");
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that starts again need not wait for the connections of the last one.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// Removes expired sessions now and then, for ever.
async fn sweep(engine: &Engine) {
    let mut interval = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        interval.tick().await;
        match engine.accounts.remove_expired_sessions().await {
            Ok(0) => {}
            Ok(sessions) => tracing::info!(sessions, "expired sessions were removed"),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "expired sessions could not be removed");
            }
        }
    }
}

fn ws_config(config: &Config) -> WsConfig {
    let cookie = if config.cookie.secure { SECURE_SESSION_COOKIE } else { PLAIN_SESSION_COOKIE };
    WsConfig {
        origins: OriginPolicy::new(config.origins.clone()).https_only(config.cookie.secure),
        session_cookie: cookie.into(),
        allow_query_token: config.allow_query_token,
        authentication_timeout: Duration::from_millis(config.websocket.authentication_timeout_ms),
        unauthenticated_connections: config.connections.unauthenticated,
        connection: ConnectionConfig {
            fragments: config.websocket.fragments,
            assembly_timeout: Duration::from_millis(config.websocket.assembly_timeout_ms),
            frames_per_second: config.websocket.frames_per_second,
            frame_burst: config.websocket.frame_burst,
            write_timeout: Duration::from_millis(config.websocket.write_timeout_ms),
            ..ConnectionConfig::default()
        },
    }
}
