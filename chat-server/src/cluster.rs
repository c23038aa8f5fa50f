use std::fmt::{self, Debug};
use std::sync::Arc;

use chat_cluster::{ConnectError, NatsCluster, RedisCluster};
use chat_core::broker::Broker;
use chat_core::limit::SharedLimits;
use chat_core::presence::PresenceStore;
use chat_core::{BrokerTraffic, ChatBuilder, ClusterStats};

use crate::config::{BrokerKind, ClusterSettings};

/// The broker through which servers are one.
pub(crate) struct Cluster {
    broker: Arc<dyn Broker>,
    presence: Arc<dyn PresenceStore>,
    limits: Arc<dyn SharedLimits>,
}

impl Cluster {
    /// Connects to the broker that is configured; none where this server is alone.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub(crate) async fn connect(config: &ClusterSettings) -> Result<Option<Self>, ConnectError> {
        let Some(kind) = config.broker() else { return Ok(None) };
        // Before it is tried: should that fail or take long, it is known what is waited for.
        tracing::info!(
            %kind,
            place = config.place(),
            namespace = %config.namespace,
            "the broker of the cluster"
        );
        let config = config.to_config();
        Ok(Some(match kind {
            BrokerKind::Nats => Self::of(NatsCluster::connect(config).await?),
            BrokerKind::Redis => Self::of(RedisCluster::connect(config).await?),
        }))
    }

    fn of(cluster: impl Broker + PresenceStore + SharedLimits) -> Self {
        let cluster = Arc::new(cluster);
        Self { broker: cluster.clone(), presence: cluster.clone(), limits: cluster }
    }

    /// Has an engine tell the others what happens, and hear it.
    pub(crate) fn join(&self, builder: ChatBuilder) -> ChatBuilder {
        builder
            .broker(Arc::clone(&self.broker))
            .presence(Arc::clone(&self.presence))
            .limits(Arc::clone(&self.limits))
    }

    /// Logs what an engine had to do with the others.
    pub(crate) fn log(stats: &ClusterStats) {
        let BrokerTraffic { published, unpublished, received, subscribed, unsubscribed, .. } =
            stats.broker;
        let limit_fallbacks = stats.limit_fallbacks;
        tracing::info!(
            published,
            unpublished,
            received,
            subscribed,
            unsubscribed,
            limit_fallbacks,
            "cluster"
        );
    }

    /// Ends the connection, after what was published: the last thing that a server does with it.
    pub(crate) async fn close(&self) {
        self.broker.close().await;
    }
}

impl Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("broker", &self.broker).finish_non_exhaustive()
    }
}
