use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chat_core::Chat;
use chat_core::auth::{Authenticator, OriginPolicy};
use futures::FutureExt;
use http::{Request, Response, request};
use http_body_util::Full;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, field};

use crate::WsConfig;
use crate::admission::Admission;
use crate::connection::{ConnectionConfig, Ended, serve, serve_tcp};
use crate::handshake::{CredentialPlaces, Handshake};
use crate::problem::Problem;
use crate::tcp::{Opened, TcpBased, open};
use crate::visitor::{Unknown, Visitor};

/// How long the HTTP server may take to hand over a stream after 101 has been answered.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
/// How many tokens connections are cut by.
const CUTS: usize = 64;
/// How long connections that are cut may take to say goodbye.
const CUT_TIMEOUT: Duration = Duration::from_secs(5);

/// The address where devices connect: it turns HTTP requests into connections, and keeps them
/// until they end. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub struct WsEndpoint(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    admission: Admission,
    origins: OriginPolicy,
    places: CredentialPlaces,
    connection: ConnectionConfig,
    /// Finds the TCP connection behind what the HTTP server hands over.
    open: fn(Upgraded) -> Opened,
    /// One permit for each connection that may be open without a session.
    unknown: Arc<Semaphore>,
    /// Every connection there is.
    connections: TaskTracker,
    /// No new connections.
    stopping: CancellationToken,
    /// No connections.
    cut: CancellationToken,
    /// By which each connection hears of that, one of these: a token of its own would be memory for
    /// each, and one for all a lock that all wait for.
    cuts: [CancellationToken; CUTS],
    /// Which is next.
    next_cut: AtomicUsize,
}

impl WsEndpoint {
    /// An endpoint of an engine, for the users that the authenticator knows.
    #[must_use]
    pub fn new(chat: Chat, authenticator: Arc<dyn Authenticator>, config: WsConfig) -> Self {
        Self::over::<TcpStream>(chat, authenticator, config)
    }

    /// The same for an HTTP server whose streams are of a type of its own, such as one that counts
    /// its connections. Streams of any other type, such as TLS, work as well; events to them wake
    /// their tasks.
    #[must_use]
    pub fn over<T: TcpBased>(
        chat: Chat,
        authenticator: Arc<dyn Authenticator>,
        config: WsConfig,
    ) -> Self {
        let connection = config.connection.with_limits_of(chat.config());
        let cut = CancellationToken::new();
        let timeout = config.authentication_timeout;
        Self(Arc::new(Inner {
            admission: Admission { chat, authenticator, timeout },
            origins: config.origins,
            places: CredentialPlaces {
                cookie: config.session_cookie,
                query: config.allow_query_token,
            },
            connection,
            open: open::<T>,
            unknown: Arc::new(Semaphore::new(config.unauthenticated_connections)),
            connections: TaskTracker::new(),
            stopping: CancellationToken::new(),
            cuts: std::array::from_fn(|_| cut.child_token()),
            cut,
            next_cut: AtomicUsize::new(0),
        }))
    }

    /// Answers a handshake, and runs its connection as a task once the stream is handed over.
    ///
    /// The request must come from hyper, directly or through axum, in a connection that is served
    /// with upgrades. A handshake that is refused gets a problem (RFC 9457) as its answer, with
    /// the same codes as the rest of the protocol.
    pub async fn handle<B>(&self, mut request: Request<B>) -> Response<Full<Bytes>> {
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, _) = request.into_parts();
        match self.accept(&head, upgrade).await {
            Ok(response) => response,
            Err(problem) => {
                tracing::debug!(code = problem.code().as_str(), "a handshake was refused");
                problem.into_response()
            }
        }
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.connections.len()
    }

    /// Takes no more connections, waits at most `grace` until those there are have ended, and then
    /// ends the others with a close code that asks them to come back.
    ///
    /// To end them one after the other within the grace time, tell the engine to
    /// [`drain`](Chat::drain) first.
    pub async fn shutdown(&self, grace: Duration) {
        let inner = &self.0;
        inner.stopping.cancel();
        inner.connections.close();
        if timeout(grace, inner.connections.wait()).await.is_ok() {
            return;
        }
        tracing::info!(connections = inner.connections.len(), "connections are cut");
        inner.cut.cancel();
        if timeout(CUT_TIMEOUT, inner.connections.wait()).await.is_err() {
            tracing::warn!(connections = inner.connections.len(), "connections are left behind");
        }
    }

    async fn accept(
        &self,
        head: &request::Parts,
        upgrade: OnUpgrade,
    ) -> Result<Response<Full<Bytes>>, Problem> {
        let inner = &self.0;
        let handshake = Handshake::read(head, &inner.origins, &inner.places)?;
        if inner.stopping.is_cancelled() {
            return Err(Problem::unavailable("the server is restarting: try again"));
        }
        let span = tracing::info_span!("connection", session = field::Empty, user = field::Empty);
        let visitor = inner.meet(&handshake).instrument(span.clone()).await?;
        let run = Arc::clone(inner).run(upgrade, visitor);
        inner.connections.spawn(run.instrument(span));
        Ok(handshake.into_response())
    }
}

impl Inner {
    /// A session for who brings a credential, so that a refusal is still an HTTP answer; a place
    /// among the unknown otherwise.
    async fn meet(&self, handshake: &Handshake) -> Result<Visitor, Problem> {
        if let Some(credential) = &handshake.credential {
            let session = self.admission.admit(credential.token()).await.map_err(|denied| {
                denied.log();
                Problem::from(denied.payload())
            })?;
            return Ok(Visitor::attached(session));
        }
        let place = Arc::clone(&self.unknown).try_acquire_owned().map_err(|_| {
            Problem::unavailable("too many connections have yet to authenticate: try again")
        })?;
        Ok(Visitor::unknown(Unknown {
            admission: self.admission.clone(),
            deadline: Instant::now() + self.admission.timeout,
            stopping: self.stopping.clone(),
            place,
        }))
    }

    /// A connection from its upgrade to its end. Nobody waits for what it returns, so it says
    /// itself how it ended, even when it panics.
    ///
    /// This is the task of each connection for as long as it is idle: it has room for what it waits
    /// for then, and what it waits for first is boxed. Hence no `async fn`, which would have room for
    /// its arguments, too. It is made while the request is being answered: what stays is not to lie
    /// where the request's own memory has just been given back, or that is lost to the next request.
    fn run(
        self: Arc<Self>,
        upgrade: OnUpgrade,
        visitor: Visitor,
    ) -> impl Future<Output = ()> + Send + 'static {
        let cut = self.cuts[self.next_cut.fetch_add(1, Ordering::Relaxed) % CUTS].clone();
        let opening = Box::pin(handed_over(upgrade, visitor, cut.clone()));
        let connection = Box::pin(async move {
            let Some((stream, visitor)) = opening.await else { return };
            let ended = self.serve(stream, visitor, &cut).await;
            tracing::debug!(?ended, "the connection has ended");
        });
        AssertUnwindSafe(connection).catch_unwind().map(|ended| {
            if ended.is_err() {
                tracing::error!("the connection ended in a panic");
            }
        })
    }

    /// A connection from its upgrade to its end.
    fn serve<'a>(
        &'a self,
        stream: Upgraded,
        visitor: Visitor,
        cut: &'a CancellationToken,
    ) -> impl Future<Output = Ended> + Send + 'a {
        let config = &self.connection;
        match (self.open)(stream) {
            Opened::Tcp { stream, early, kept } => {
                let serving = serve_tcp(stream, early, visitor, config, cut);
                serving.inspect(move |_| drop(kept)).left_future()
            }
            Opened::Other(stream) => {
                serve(TokioIo::new(stream), visitor, config, cut).right_future()
            }
        }
    }
}

/// What the HTTP server hands over, if it does in time and before the connection is cut; and for
/// whom it is.
async fn handed_over(
    upgrade: OnUpgrade,
    visitor: Visitor,
    cut: CancellationToken,
) -> Option<(Upgraded, Visitor)> {
    let upgraded = tokio::select! {
        upgraded = timeout(UPGRADE_TIMEOUT, upgrade) => upgraded,
        () = cut.cancelled() => return None,
    };
    let Ok(Ok(stream)) = upgraded else {
        tracing::debug!("the stream was not handed over");
        return None;
    };
    Some((stream, visitor))
}
