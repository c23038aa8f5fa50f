use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::backoff::Backoff;
use super::capacity::Capacity;
use super::connection;
use super::guarded::GuardedStream;
use super::keep_alive::{Exchanges, KeepAlive};
use super::refusal::refusal;
use super::settings::ConnectionSettings;
use crate::http::Site;

/// How many connections are taken at once: when thousands come in one moment, as after a restart, those who
/// are here already have their turns in between.
const IN_A_ROW: usize = 12;

/// Takes connections and has each served by a task.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) site: Site,
    pub(super) settings: ConnectionSettings,
    pub(super) capacity: Arc<Capacity>,
    pub(super) keep_alive: Arc<KeepAlive>,
    /// The tasks.
    pub(super) connections: TaskTracker,
    /// Connections end after the request at hand.
    pub(super) stop: CancellationToken,
    /// Connections end now.
    pub(super) cut: CancellationToken,
}

impl Acceptor {
    /// Takes connections for ever. Whatever goes wrong passes or is one connection's own matter,
    /// so it waits a little and goes on: above all when the process has no file descriptor left.
    pub(super) async fn accept_from(&self, listener: &TcpListener) {
        let mut backoff = Backoff::default();
        let mut taken = 0_usize;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    backoff.reset();
                    self.admit(stream, peer);
                    taken += 1;
                    if taken.is_multiple_of(IN_A_ROW) {
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    let wait = backoff.next();
                    tracing::warn!(%error, ?wait, "connections cannot be accepted for a moment");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let peer = peer.ip();
        let place = match self.capacity.take(peer) {
            Ok(place) => place,
            Err(full) => {
                tracing::debug!(?full, "a connection was turned away");
                // A new connection has room for it; if not, closing says as much.
                let _ = stream.try_write(refusal(full).as_bytes());
                return;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it was served");
            return;
        }
        let exchanges = Arc::new(Exchanges::new(Arc::clone(&self.keep_alive)));
        self.connections.spawn(connection::serve(
            GuardedStream::new(stream, place, &self.settings, Arc::clone(&exchanges)),
            exchanges,
            peer,
            self.site.clone(),
            self.settings,
            self.stop.clone(),
            self.cut.clone(),
        ));
    }
}

/// Whether the error is about the connection that would have been accepted (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
