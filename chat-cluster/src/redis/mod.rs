//! Through Redis: one server, or a Redis Cluster.
//!
//! What is said once is published; what is shared is kept in keys, and changed by scripts, each of
//! which is one step. A single server is treated as a cluster of one, save that messages are
//! published the classic way (`PUBLISH`), and in a cluster by slot (`SPUBLISH`), so that no message
//! goes through servers that do not need it.
//!
//! ```text
//! RedisCluster            one node's membership: Broker, PresenceStore, SharedLimits
//!   names                   of channels and keys
//!   servers                 who is asked: requests, by slot, each server's in one pipeline
//!     request                 a command or a script, about one slot
//!     link                    one connection, kept up; back_off between attempts
//!   listening               what is heard: subscriptions, by slot
//!     ear                     one connection for one server's part of them
//!     wanted, inbox, probes   what is subscribed to and where it goes
//!   discovery, watch        what there is, and who has which slot (layout)
//!   access                  URLs, passwords, certificates
//!   presence, limits        what is shared, and the scripts that change it
//! ```
//!
//! The client's own reconnection and cluster connections are not used: they do not say when
//! everything is subscribed to again, repeat scripts that must not be repeated, and let pushes wait
//! without bound. What is used is its connection: encoding, TLS, and pipelines.

mod access;
mod back_off;
mod broker;
mod discovery;
mod ear;
mod error;
mod inbox;
mod layout;
mod limits;
mod link;
mod listening;
mod names;
mod presence;
mod probes;
mod request;
mod servers;
mod slot;
mod tag;
mod tasks;
mod wanted;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::access::Access;
use self::discovery::{discover, explain};
use self::error::CallError;
use self::inbox::Inbox;
use self::limits::Limits;
use self::listening::Listening;
use self::names::Names;
use self::presence::Presence;
use self::probes::Probes;
use self::servers::Servers;
use self::tag::Tag;
use self::tasks::Tasks;
use self::wanted::Wanted;
use crate::{ClusterConfig, ConnectError};

/// One node's membership in a cluster through Redis: a server of version 6 or newer, or a Redis
/// Cluster of version 7 or newer. Clones are the same member.
///
/// URLs are `redis://user:password@host:6379/database`, or `rediss://` for TLS. Several are for
/// servers of one Redis Cluster, where one that answers is enough. Which of the two it is shows when
/// connecting.
///
/// Nothing has to outlive a restart of Redis: who is online, and what was counted, is forgotten, and
/// nodes are told so by [`Lease::Begun`](chat_core::presence::Lease::Begun). Leases are measured by
/// the clock of the server that has them, and of the replica that takes its place.
#[derive(Clone)]
pub struct RedisCluster {
    member: Arc<Member>,
}

struct Member {
    timeout: Duration,
    tag: Tag,
    names: Names,
    servers: Arc<Servers>,
    listening: Arc<Listening>,
    wanted: Arc<Wanted>,
    presence: Presence,
    limits: Limits,
    /// What has to be on its way before the end. Closed from then on.
    publishing: TaskTracker,
    tasks: Tasks,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
}

/// Only what it is a member of is shown, never how it was let in.
impl fmt::Debug for RedisCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCluster")
            .field("names", &self.member.names)
            .field("servers", &self.member.servers)
            .field("listening", &self.member.listening)
            .finish_non_exhaustive()
    }
}

impl RedisCluster {
    /// Becomes a member. Within the configured timeout for each step, all servers are connected to.
    ///
    /// # Errors
    ///
    /// When a URL or the certificates are not understood, nobody answers, or Redis does not let this
    /// node in.
    pub async fn connect(config: ClusterConfig) -> Result<Self, ConnectError> {
        let seeds = Access::read(&config)?;
        let (access, layout) = discover(&seeds).await?;
        let tag = Tag::random().map_err(|error| ConnectError::Unreachable {
            servers: access.address().to_string(),
            source: error.into(),
        })?;
        let names = Names::new(config.namespace);
        let probes = Probes::new(names.probe(tag.as_bytes()));
        let wanted = Arc::new(Wanted::new(tag, Inbox::new(config.inbox), probes));
        let tasks = Tasks::default();
        let servers = Arc::new(Servers::new(access.clone(), layout, tasks.clone()));
        let stale = Arc::clone(&servers.stale);
        let listening =
            Listening::new(access, &servers.layout(), tasks.clone(), Arc::clone(&wanted), stale);
        let listening = Arc::new(listening);
        let (connected, heard) = tokio::join!(servers.settled(), listening.settled());
        connected.and(heard).map_err(|error| explain(&seeds, error))?;

        let stop = CancellationToken::new();
        if servers.layout().is_cluster() {
            let watching = watch::watch(Arc::clone(&servers), Arc::clone(&listening), seeds);
            tasks.spawn(stop.clone(), watching);
        }
        let member = Member {
            timeout: config.timeout,
            tag,
            presence: Presence::new(names.clone(), Arc::clone(&servers)),
            limits: Limits::new(names.clone(), Arc::clone(&servers)),
            names,
            servers,
            listening,
            wanted,
            publishing: TaskTracker::new(),
            tasks,
            stop: stop.clone(),
            _stop_when_dropped: stop.drop_guard(),
        };
        Ok(Self { member: Arc::new(member) })
    }
}

impl Member {
    /// Lets what is being published go, and ends everything.
    async fn close(&self) {
        self.publishing.close();
        // Each of these has a timeout of its own.
        self.publishing.wait().await;
        self.stop.cancel();
        self.listening.close();
        self.servers.close();
        self.wanted.inbox.close();
        if tokio::time::timeout(self.timeout, self.tasks.ended()).await.is_err() {
            tracing::warn!("connections to redis are still being used");
        }
    }

    fn is_open(&self) -> Result<(), CallError> {
        if self.publishing.is_closed() { Err(CallError::Closed) } else { Ok(()) }
    }
}
