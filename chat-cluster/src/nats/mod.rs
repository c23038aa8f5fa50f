//! Through NATS: core NATS for what nodes tell each other, JetStream for what they share.
//!
//! A node has two connections, so that a look at who is online never waits behind a room that is
//! busy. `address` says where the servers are and who asks, `connection` is one of the two, `error`
//! what goes wrong, `random` and `attempts` how nodes keep out of each other's way.
//!
//! * Events: `subscriptions` reads what was subscribed to into the `inbox`, and `events` does the
//!   rest.
//! * What is shared lies in buckets of keys in the servers' memory: `jetstream` asks, `bucket` reads
//!   and changes one key, `listing` reads many.
//! * Presence: `record` is what is known of a user, `leases` which nodes live, `sightings` how that
//!   is judged without comparing clocks, `expiry` what becomes of those that do not, and `presence`
//!   the whole.
//! * Limits: `clock` is what all nodes go by, and `limits` the rest.

mod address;
mod attempts;
mod bucket;
mod clock;
mod connection;
mod error;
mod events;
mod expiry;
mod inbox;
mod jetstream;
mod leases;
mod limits;
mod listing;
mod presence;
mod random;
mod record;
mod sightings;
mod subscriptions;
mod traits;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::ErrorCode;

use self::address::Address;
use self::bucket::Bucket;
use self::connection::Connection;
use self::error::NatsError;
use self::events::Events;
use self::inbox::Inbox;
use self::jetstream::JetStream;
use self::limits::Limits;
use self::presence::Presence;
use crate::{ClusterConfig, ConnectError};

/// How many questions about different keys are asked at once.
const AT_ONCE: usize = 64;

/// One node's membership of a cluster that meets at NATS: its [`Broker`](chat_core::broker::Broker),
/// [`PresenceStore`](chat_core::presence::PresenceStore) and
/// [`SharedLimits`](chat_core::limit::SharedLimits).
///
/// It needs NATS 2.9 or later with JetStream. What is shared is kept in the memory of the servers, in
/// key-value buckets that begin with the namespace and are made when they are missed; an operator
/// may give them more replicas. When the servers lose them, users are online again as soon as their
/// nodes renew their leases, and limits begin anew.
///
/// Cheap to clone; all clones are one membership, which ends with the last of them, or by
/// [`close`](chat_core::broker::Broker::close).
#[derive(Clone)]
pub struct NatsCluster {
    node: Arc<Node>,
}

struct Node {
    address: Address,
    config: ClusterConfig,
    events: Events,
    /// The other connection.
    shared: Connection,
    presence: Presence,
    limits: Limits,
    closed: AtomicBool,
}

impl NatsCluster {
    /// Becomes a member.
    ///
    /// # Errors
    ///
    /// When no server can be reached, or lets this node in, or has JetStream.
    pub async fn connect(config: ClusterConfig) -> Result<Self, ConnectError> {
        let address = Address::read(&config)?;
        if let Some(file) = &config.ca_file {
            let read = tokio::fs::read(file).await;
            read.map_err(|error| ConnectError::Certificates(error.into()))?;
        }
        let inbox = Arc::new(Inbox::new(config.inbox));
        let lossy = Arc::clone(&inbox);
        let events = Connection::open(&address, &config, move || lossy.interrupt()).await?;
        let shared = Connection::open(&address, &config, || {}).await?;

        if !shared.client().is_server_compatible(2, 9, 0) {
            let (servers, version) = (address.to_string(), shared.client().server_info().version);
            let lacks = "it is too old: NATS 2.9 or later is needed";
            let source = format!("the version is {version}").into();
            return Err(ConnectError::Unsuitable { servers, lacks, source });
        }
        let jetstream = JetStream::new(shared.clone(), config.timeout);
        let bucket = |name, max_age| {
            Bucket::new(jetstream.clone(), format!("{}_{name}", config.namespace), max_age)
        };
        let lasting = |name| bucket(name, Duration::ZERO);
        let presence = Presence::new(lasting("leases"), lasting("users"), lasting("places"));
        let making = within(config.timeout, presence.ensure());
        making.await.map_err(|error| unsuitable(&address, error))?;
        let limits =
            Limits::new(bucket("limits", limits::SHORT), bucket("limits_long", limits::LONG));

        let events = Events::new(events, config.namespace.clone(), inbox);
        let closed = AtomicBool::new(false);
        let node = Node { address, config, events, shared, presence, limits, closed };
        Ok(Self { node: Arc::new(node) })
    }

    /// Does something, unless this node has left, and not for longer than one exchange may take.
    async fn call<T>(
        &self,
        doing: impl Future<Output = Result<T, NatsError>> + Send,
    ) -> Result<T, NatsError> {
        if self.node.closed.load(Ordering::Acquire) {
            return Err(NatsError::Closed);
        }
        within(self.node.config.timeout, doing).await
    }
}

/// Shows no password.
impl fmt::Debug for NatsCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsCluster")
            .field("servers", &format_args!("{}", self.node.address))
            .field("namespace", &self.node.config.namespace)
            .finish_non_exhaustive()
    }
}

async fn within<T>(
    timeout: Duration,
    doing: impl Future<Output = Result<T, NatsError>> + Send,
) -> Result<T, NatsError> {
    tokio::time::timeout(timeout, doing).await.unwrap_or(Err(NatsError::TimedOut))
}

const NO_JETSTREAM: &str = "it has no JetStream: turn it on, for this account also";

fn is_without_jetstream(refusal: &async_nats::jetstream::Error) -> bool {
    let code = refusal.error_code();
    code == ErrorCode::JETSTREAM_NOT_ENABLED || code == ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT
}

fn unsuitable(address: &Address, error: NatsError) -> ConnectError {
    let servers = address.to_string();
    let lacks = match &error {
        NatsError::Missing => NO_JETSTREAM,
        NatsError::Refused(refusal) if is_without_jetstream(refusal) => NO_JETSTREAM,
        NatsError::Refused(_) => "JetStream does not keep the buckets that are needed",
        NatsError::Full(_) => "JetStream has no memory for the buckets that are needed",
        _ => return ConnectError::Unreachable { servers, source: error.into() },
    };
    ConnectError::Unsuitable { servers, lacks, source: error.into() }
}
