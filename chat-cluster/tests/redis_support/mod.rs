//! Members of clusters for tests, on servers that tests share where they do not disturb them.

#![allow(dead_code, reason = "each file of tests needs its part")]

mod alternating;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chat_cluster::{ClusterConfig, ConnectError, Namespace, RedisCluster};
use chat_core::broker::{Broker, BrokerError, BrokerMessage, Received, Subject};
use chat_core::proto::ConversationId;

pub(crate) use alternating::Alternating;

/// How long anything may take. Only what fails takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A namespace that no other test of this process has.
pub(crate) fn namespace() -> Namespace {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("test{number}").parse().expect("a namespace")
}

/// A configuration whose timeout no working server reaches.
pub(crate) fn config(urls: &[String], namespace: &Namespace) -> ClusterConfig {
    ClusterConfig { namespace: namespace.clone(), ..ClusterConfig::new(urls) }
}

/// A member in a namespace.
pub(crate) async fn member(urls: &[String], namespace: &Namespace) -> RedisCluster {
    RedisCluster::connect(config(urls, namespace)).await.expect("connected")
}

/// Two members of a cluster of their own.
pub(crate) async fn pair(urls: &[String]) -> (RedisCluster, RedisCluster) {
    let namespace = namespace();
    (member(urls, &namespace).await, member(urls, &namespace).await)
}

/// Why one cannot become a member.
pub(crate) async fn refusal(config: ClusterConfig) -> ConnectError {
    let connecting = tokio::time::timeout(PATIENCE, RedisCluster::connect(config));
    connecting.await.expect("in time").expect_err("refused")
}

/// Two clients of one cluster, as one.
pub(crate) async fn alternating(urls: &[String]) -> Box<Alternating> {
    let (one, other) = pair(urls).await;
    Box::new(Alternating::new(one, other))
}

/// Runs something that blocks.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it does not panic")
}

/// Asks until the answer is this, or for too long.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let asking = async {
        let mut again = tokio::time::interval(Duration::from_millis(20));
        loop {
            again.tick().await;
            if is_so().await {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("not {what} in time"));
}

pub(crate) fn conversation() -> Subject {
    Subject::Conversation(ConversationId::generate())
}

pub(crate) async fn say(
    node: &RedisCluster,
    subject: &Subject,
    text: &str,
) -> Result<(), BrokerError> {
    let payload = text.to_owned().into();
    let saying = node.publish(vec![BrokerMessage { subject: subject.clone(), payload }]);
    tokio::time::timeout(PATIENCE, saying).await.expect("it does not hang")
}

/// The next that a node receives.
pub(crate) async fn event(node: &RedisCluster) -> Received {
    let received = tokio::time::timeout(PATIENCE, node.receive()).await;
    received.expect("something should have come").expect("the node is open")
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
