use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::cmd;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::access::Address;
use super::back_off::BackOff;
use super::error::CallError;
use super::tasks::Tasks;

/// A connection that ends sooner than this is no reason to try again at once.
const LASTING: Duration = Duration::from_secs(1);

/// One connection to one server, which a task of its own makes anew whenever it ends, until the link
/// is dropped.
///
/// While a lost connection is made anew for the first time, callers wait for it. When that has
/// failed they are refused at once, until a later attempt succeeds.
#[derive(Debug)]
pub(super) struct Link {
    state: watch::Receiver<State>,
    _stop: DropGuard,
}

/// How things stand with a link.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// A connection is being made, for the first time since there was one.
    Connecting,
    /// There is a connection.
    Up(Connected),
    /// There is none, and why not.
    Down(Arc<CallError>),
}

/// A connection of a link.
#[derive(Debug, Clone)]
pub(super) struct Connected {
    pub(super) connection: MultiplexedConnection,
    /// Cancelled when the connection has ended, or is of no use: the link makes another.
    pub(super) lost: CancellationToken,
}

/// What making a connection has come to.
pub(super) struct Dialled {
    pub(super) connection: MultiplexedConnection,
    /// Held until everybody may see the connection.
    pub(super) turn: Option<OwnedMutexGuard<()>>,
}

/// Makes a connection, which cancels the token when it ends. Does not wait for ever.
pub(super) type Dial =
    Box<dyn Fn(CancellationToken) -> BoxFuture<'static, Result<Dialled, CallError>> + Send + Sync>;

impl Link {
    /// Keeps a connection to a server up. After each `timeout` it is asked whether it still lives,
    /// and given up if it has not answered within another.
    pub(super) fn keep(tasks: &Tasks, server: &Address, timeout: Duration, dial: Dial) -> Self {
        let (state, watched) = watch::channel(State::Connecting);
        let stop = CancellationToken::new();
        tasks.spawn(stop.clone(), keep(state, server.clone(), timeout, dial));
        Self { state: watched, _stop: stop.drop_guard() }
    }

    /// How things stand now. A connection that is known to be lost is not shown.
    pub(super) fn state(&self) -> State {
        match &*self.state.borrow() {
            State::Up(connected) if connected.lost.is_cancelled() => State::Connecting,
            state => state.clone(),
        }
    }

    /// The connection, once it has been tried to make one.
    pub(super) async fn settled(&self) -> Result<Connected, CallError> {
        self.wait(|state| !matches!(state, State::Connecting)).await
    }

    /// The connection, however often that has to be tried.
    pub(super) async fn up(&self) -> Result<Connected, CallError> {
        self.wait(|state| matches!(state, State::Up(_))).await
    }

    /// Gives the connection up, if there is one: another is made.
    pub(super) fn renew(&self) {
        if let State::Up(connected) = &*self.state.borrow() {
            connected.lost.cancel();
        }
    }

    async fn wait(&self, is_enough: impl Fn(&State) -> bool) -> Result<Connected, CallError> {
        let mut watched = self.state.clone();
        let settled = watched.wait_for(|state| match state {
            State::Up(connected) if connected.lost.is_cancelled() => false,
            state => is_enough(state),
        });
        match &*settled.await.map_err(|_| CallError::Closed)? {
            State::Up(connected) => Ok(connected.clone()),
            State::Down(cause) => Err(CallError::Disconnected(Some(Arc::clone(cause)))),
            State::Connecting => Err(CallError::Disconnected(None)),
        }
    }
}

async fn keep(state: watch::Sender<State>, server: Address, timeout: Duration, dial: Dial) {
    let mut back_off = BackOff::new();
    let mut is_away = false;
    loop {
        let lost = CancellationToken::new();
        match dial(lost.clone()).await {
            Ok(Dialled { connection, turn }) => {
                if std::mem::take(&mut is_away) {
                    tracing::info!(%server, "redis answers again");
                }
                let connected = Connected { connection, lost };
                state.send_replace(State::Up(connected.clone()));
                drop(turn);
                let since = Instant::now();
                hold(connected, timeout).await;
                state.send_replace(State::Connecting);
                if since.elapsed() >= LASTING {
                    back_off.reset();
                    continue;
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut is_away, true) {
                    tracing::warn!(%server, %error, cause = ?error.source(), "redis is away");
                }
                state.send_replace(State::Down(Arc::new(error)));
            }
        }
        tokio::time::sleep(back_off.wait()).await;
    }
}

/// Waits until a connection has ended. One that ends without a word is found by asking it.
async fn hold(Connected { mut connection, lost }: Connected, timeout: Duration) {
    loop {
        tokio::select! {
            () = lost.cancelled() => return,
            () = tokio::time::sleep(timeout) => {}
        }
        let asked = async { cmd("PING").query_async::<String>(&mut connection).await };
        let answer = tokio::select! {
            () = lost.cancelled() => return,
            answer = tokio::time::timeout(timeout, asked) => answer,
        };
        if !matches!(answer, Ok(Ok(pong)) if pong == "PONG") {
            tracing::warn!("a connection to redis does not answer and is given up");
            lost.cancel();
            return;
        }
    }
}
