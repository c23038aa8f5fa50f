//! Nodes that find each other through one Redis server.

#![cfg(feature = "redis")]

mod redis_support;

use std::sync::Arc;

use chat_cluster::RedisCluster;
use chat_test_servers::Redis;
use redis_support::{alternating, blocking, member, namespace, pair};

async fn shared() -> Vec<String> {
    vec![blocking(|| Redis::shared().url()).await]
}

async fn two() -> (RedisCluster, RedisCluster) {
    pair(&shared().await).await
}

mod broker {
    chat_core::testing::broker::broker_conformance!(super::two);
}

mod limits {
    chat_core::testing::limits::limits_conformance!(super::two);
}

mod presence {
    use super::*;

    async fn one() -> Box<RedisCluster> {
        Box::new(member(&shared().await, &namespace()).await)
    }

    chat_core::testing::store::presence_conformance!(one);
}

mod presence_of_two_members {
    use super::*;

    async fn both() -> Box<redis_support::Alternating> {
        alternating(&shared().await).await
    }

    chat_core::testing::store::presence_conformance!(both);
}

/// Only the connections are lost: the quickest interruption, and the one after which nothing but
/// the clients has to recover. Each case has a server of its own, as all clients of it are killed.
mod after_connections_are_killed {
    use super::*;

    async fn two_and_a_fault() -> (RedisCluster, RedisCluster, impl AsyncFn()) {
        let redis = blocking(|| Arc::new(Redis::start().expect("redis-server"))).await;
        let (a, b) = pair(&[redis.url()]).await;
        let kill = async move || {
            let redis = Arc::clone(&redis);
            blocking(move || {
                for kind in ["pubsub", "normal"] {
                    redis.execute(&["CLIENT", "KILL", "TYPE", kind]).expect("killed");
                }
            })
            .await;
        };
        (a, b, kill)
    }

    chat_core::testing::broker::broker_reconnect_conformance!(two_and_a_fault);
}

/// The server is lost with all it knew, and connections are refused meanwhile.
mod after_the_server_is_killed {
    use super::*;

    async fn two_and_a_fault() -> (RedisCluster, RedisCluster, impl AsyncFn()) {
        let redis = blocking(|| Arc::new(Redis::start().expect("redis-server"))).await;
        let (a, b) = pair(&[redis.url()]).await;
        let restart = async move || {
            let redis = Arc::clone(&redis);
            blocking(move || {
                redis.kill().expect("killed");
                redis.start_again().expect("started");
            })
            .await;
        };
        (a, b, restart)
    }

    chat_core::testing::broker::broker_reconnect_conformance!(two_and_a_fault);
}
