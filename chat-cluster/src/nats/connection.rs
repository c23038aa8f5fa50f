use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{
    Client, ConnectErrorKind, ConnectOptions, Event, Request, RequestErrorKind, ServerError, rustls,
};
use tokio::sync::watch;

use super::address::Address;
use super::error::NatsError;
use super::random;
use crate::{ClusterConfig, ConnectError};

/// How long a node waits before it tries to reach a server again: at first, and at most. Half of it
/// is left to chance, so that many nodes do not come at once.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(4);
/// The shortest time between two signs of life. When three in a row are missing, the connection is
/// made anew.
const SHORTEST_PING: Duration = Duration::from_secs(1);
/// How often a connection is looked at that somebody waits for.
const LOOK: Duration = Duration::from_millis(20);
/// The most messages of one subject that wait for the task that reads them.
const MOST_UNREAD: usize = 1 << 20;

/// One connection to NATS, which the client makes anew whenever it breaks, with all subscriptions.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    client: Client,
    /// Changes when it has been made.
    made: watch::Receiver<u64>,
    timeout: Duration,
    /// Begins subjects that nobody listens to.
    nobody: String,
}

impl Connection {
    /// Connects. What the connection itself sends does not come back by it. `lossy` is called
    /// whenever the client has dropped messages because nobody took them.
    ///
    /// # Errors
    ///
    /// When no server lets this node in.
    pub(super) async fn open(
        address: &Address,
        config: &ClusterConfig,
        lossy: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, ConnectError> {
        let (count, made) = watch::channel(0);
        let (count, lossy) = (Arc::new(count), Arc::new(lossy));
        let mut options = ConnectOptions::new()
            .name(format!("chat {}", config.namespace))
            .no_echo()
            .connection_timeout(config.timeout)
            .request_timeout(Some(config.timeout))
            .ping_interval(config.timeout.max(SHORTEST_PING))
            .subscription_capacity(config.inbox.clamp(1, MOST_UNREAD))
            .reconnect_delay_callback({
                let made = made.clone();
                move |attempt| if *made.borrow() == 0 { Duration::ZERO } else { delay(attempt) }
            })
            .event_callback(move |event| {
                note(&event, &count, &*lossy);
                std::future::ready(())
            });
        if let Some(file) = &config.ca_file {
            options = options.add_root_certificates(file.clone());
        }
        let connecting = address.authorize(options).connect(address.servers());
        // The client bounds each server, but not how long it takes to find out where that is.
        let servers = u32::try_from(config.urls.len()).unwrap_or(u32::MAX);
        let bound = config.timeout.saturating_mul(servers.saturating_add(1));
        let client = match tokio::time::timeout(bound, connecting).await {
            Ok(connected) => connected.map_err(|error| failure(address, error))?,
            Err(elapsed) => {
                let servers = address.to_string();
                return Err(ConnectError::Unreachable { servers, source: elapsed.into() });
            }
        };
        let nobody = format!("{}.nobody", config.namespace);
        Ok(Self { client, made, timeout: config.timeout, nobody })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Fails while the connection is away, when the client would keep what it is told for later.
    pub(super) fn ready(&self) -> Result<(), NatsError> {
        match self.client.connection_state() {
            State::Connected => Ok(()),
            State::Pending | State::Disconnected => Err(NatsError::Away),
        }
    }

    /// How often the connection has been made, at least once. It is counted before the client uses
    /// the new one.
    pub(super) fn times_made(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// Waits until the connection has been made more often than this.
    pub(super) async fn made_again(&mut self, times: u64) {
        while self.times_made() <= times {
            if self.made.changed().await.is_err() {
                // The client is gone, and will not connect again.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until the connection is there.
    pub(super) async fn back(&self) {
        while self.ready().is_err() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until the connection that is there has broken.
    pub(super) async fn broken(&self) {
        let made = self.times_made();
        while self.ready().is_ok() && self.times_made() == made {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until the server has carried out everything that it was told before by this
    /// connection: it answers at once that nobody listens to a subject, to whoever wants an answer.
    ///
    /// # Errors
    ///
    /// When it does not answer in time.
    pub(super) async fn round_trip(&self) -> Result<(), NatsError> {
        self.ready()?;
        let subject = format!("{}.{:016x}", self.nobody, random::number());
        let request = Request::new().timeout(Some(self.timeout));
        match self.client.send_request(subject, request).await {
            Err(error) if error.kind() == RequestErrorKind::NoResponders => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(NatsError::client("somebody answered for nobody")),
        }
    }

    /// Ends the connection, as soon as the client can be told so.
    pub(super) async fn end(&self) {
        // Elapsed or refused: then the connection ends with its last handle.
        let _ = tokio::time::timeout(self.timeout, self.client.drain()).await;
    }
}

/// Before which time a server is not tried again, with `attempt` counted from 1.
fn delay(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    random::around(FIRST_DELAY.saturating_mul(1 << doublings).min(LONGEST_DELAY))
}

fn note(event: &Event, made: &watch::Sender<u64>, lossy: &(impl Fn() + ?Sized)) {
    match event {
        Event::Connected => made.send_modify(|made| *made += 1),
        Event::SlowConsumer(_) | Event::ServerError(ServerError::SlowConsumer(_)) => lossy(),
        Event::Disconnected => tracing::warn!("the connection to NATS broke"),
        Event::ServerError(error) => tracing::warn!(%error, "NATS reports an error"),
        _ => {}
    }
}

fn failure(address: &Address, error: async_nats::ConnectError) -> ConnectError {
    let servers = address.to_string();
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            ConnectError::AccessDenied { servers, source: error.into() }
        }
        ConnectErrorKind::Tls => ConnectError::Certificates(error.into()),
        _ if is_of_tls(&error) => ConnectError::Certificates(error.into()),
        _ => ConnectError::Unreachable { servers, source: error.into() },
    }
}

/// Whether TLS could not be agreed on, which the client reports as a failure of the network.
fn is_of_tls(error: &async_nats::ConnectError) -> bool {
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    let inner = io.and_then(std::io::Error::get_ref);
    inner.is_some_and(|inner| inner.is::<rustls::Error>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_a_bound() {
        for attempt in [1, 2, 5, 10, 100, usize::MAX] {
            let delay = delay(attempt);
            assert!(delay >= FIRST_DELAY / 2 && delay <= LONGEST_DELAY, "{attempt}: {delay:?}");
        }
        assert!(delay(usize::MAX) >= LONGEST_DELAY / 2);
    }
}
