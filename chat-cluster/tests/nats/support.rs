//! Members of clusters, and servers that are disturbed.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat_cluster::{ClusterConfig, NatsCluster};
use chat_test_servers::Nats;

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often something is looked at that is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// How to reach a server, in a namespace that nobody else has.
pub(crate) fn config(nats: &Nats) -> ClusterConfig {
    static USED: AtomicU64 = AtomicU64::new(0);
    let number = USED.fetch_add(1, Ordering::Relaxed);
    let mut config = ClusterConfig::new([nats.url()]);
    config.namespace = format!("test{number}").parse().unwrap();
    config.timeout = Duration::from_secs(20);
    config
}

pub(crate) async fn connect(config: &ClusterConfig) -> NatsCluster {
    NatsCluster::connect(config.clone()).await.unwrap()
}

/// Two nodes of one cluster, alone in their namespace on the server that all tests share.
pub(crate) async fn pair() -> (NatsCluster, NatsCluster) {
    let config = config(Nats::shared());
    (connect(&config).await, connect(&config).await)
}

/// A server of one's own, started where it keeps nobody waiting.
pub(crate) async fn server() -> Arc<Nats> {
    blocking(|| Nats::start().unwrap()).await.into()
}

/// Does what blocks its thread, such as to disturb a server.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Tries again until something succeeds, and returns what came of it.
pub(crate) async fn until<T, E>(attempt: impl AsyncFn() -> Result<T, E>) -> T {
    within(async {
        let mut look = tokio::time::interval(LOOK);
        loop {
            look.tick().await;
            if let Ok(done) = attempt().await {
                return done;
            }
        }
    })
    .await
}

/// Tries again until something fails.
pub(crate) async fn until_it_fails<E>(attempt: impl AsyncFn() -> Result<(), E>) {
    until(async || if attempt().await.is_err() { Ok(()) } else { Err(()) }).await;
}

/// Waits for something, but not for ever.
pub(crate) async fn within<T>(doing: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, doing).await.expect("it takes too long")
}
