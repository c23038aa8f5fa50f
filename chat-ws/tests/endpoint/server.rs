use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::auth::{AuthError, Authenticator, Identity, PLAIN_SESSION_COOKIE};
use chat_core::proto::LoginSessionId;
use chat_core::{Chat, ChatConfig, MemoryStore};
use chat_ws::{WsConfig, WsEndpoint};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long anything may take. Tests wait for events, so only a failing one takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Longer than any test.
pub(crate) const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) async fn soon<T>(event: impl Future<Output = T>) -> T {
    timeout(PATIENCE, event).await.expect("it does not happen")
}

/// Knows the token of everybody: `ada` is Ada's.
#[derive(Debug)]
struct Gatekeeper {
    login: LoginSessionId,
    /// Whether the login that ends meanwhile has ended.
    has_ended: AtomicBool,
}

#[async_trait]
impl Authenticator for Gatekeeper {
    async fn authenticate(&self, token: &SecretString) -> Result<Identity, AuthError> {
        let identity = |name: &str| Identity::of(name.parse().unwrap());
        match token.expose_secret() {
            "wrong" => Err(AuthError::Invalid),
            "old" => Err(AuthError::Expired),
            "unknowable" => Err(AuthError::Unavailable("the directory is down".into())),
            "unanswered" => std::future::pending().await,
            "ends-soon" => {
                let end = Timestamp::now() + Duration::from_millis(300);
                Ok(Identity { expires_at: Some(end), ..identity("ends-soon") })
            }
            "revocable" => Ok(Identity { login: Some(self.login), ..identity("revocable") }),
            // Revoked, and its connections ended, after this check and before its session begins.
            "ends-meanwhile" if self.has_ended.swap(true, Ordering::SeqCst) => {
                Err(AuthError::Invalid)
            }
            "ends-meanwhile" => {
                Ok(Identity { login: Some(self.login), ..identity("ends-meanwhile") })
            }
            name => Ok(identity(name)),
        }
    }
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) chat: Chat,
    pub(crate) endpoint: WsEndpoint,
    /// The login behind the token `revocable`.
    pub(crate) login: LoginSessionId,
    /// The HTTP side; it ends with the server.
    _http: JoinSet<()>,
}

pub(crate) fn ws_config() -> WsConfig {
    WsConfig { session_cookie: PLAIN_SESSION_COOKIE.into(), ..WsConfig::default() }
}

/// An engine without limits that tests would run into.
pub(crate) fn chat_config() -> ChatConfig {
    let mut config = ChatConfig { resume_window_ms: 0, ..ChatConfig::default() };
    config.limits = config.limits.without_rates();
    config
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(ws_config(), chat_config()).await
    }

    pub(crate) async fn with(ws: WsConfig, chat: ChatConfig) -> Self {
        let chat = Chat::builder(Arc::new(MemoryStore::new())).config(chat).build();
        let login = LoginSessionId::generate();
        let gatekeeper = Gatekeeper { login, has_ended: AtomicBool::new(false) };
        let endpoint = WsEndpoint::new(chat.clone(), Arc::new(gatekeeper), ws);
        // A small send buffer, which accepted sockets inherit, makes slow readers show soon.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(16 * 1024).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let mut http = JoinSet::new();
        http.spawn(accept(listener, endpoint.clone()));
        Self { address, chat, endpoint, login, _http: http }
    }

    /// Waits until so many connections are left.
    pub(crate) async fn has_connections(&self, count: usize) {
        soon(async {
            while self.endpoint.connections() != count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

async fn accept(listener: TcpListener, endpoint: WsEndpoint) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let endpoint = endpoint.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let endpoint = endpoint.clone();
            async move { Ok::<_, Infallible>(endpoint.handle(request).await) }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move {
            // A client that goes away in the middle is part of the tests.
            let _ = connection.with_upgrades().await;
        });
    }
}
