//! Nodes that find each other through a Redis Cluster of three servers.

#![cfg(feature = "redis")]

mod redis_support;

use std::sync::LazyLock;

use chat_cluster::RedisCluster;
use chat_test_servers::RedisCluster as Servers;
use redis_support::{alternating, blocking, member, namespace, pair};

async fn shared() -> Vec<String> {
    blocking(|| Servers::shared().urls()).await
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

/// A cluster that is disturbed, by one test at a time: to start one for each would take long.
async fn disturbed() -> (&'static Servers, impl Drop + Send) {
    static SERVERS: LazyLock<Servers> = LazyLock::new(|| Servers::start().expect("redis-server"));
    static TURN: LazyLock<std::sync::Arc<tokio::sync::Mutex<()>>> = LazyLock::new(Default::default);
    let turn = std::sync::Arc::clone(&TURN).lock_owned().await;
    (blocking(|| &*SERVERS).await, turn)
}

mod after_connections_are_killed {
    use super::*;

    async fn two_and_a_fault() -> (RedisCluster, RedisCluster, impl AsyncFn()) {
        let (servers, turn) = disturbed().await;
        let (a, b) = pair(&servers.urls()).await;
        let kill = async move || {
            let _turn = &turn;
            blocking(move || {
                for index in 0..3 {
                    for kind in ["pubsub", "normal"] {
                        let kill = ["CLIENT", "KILL", "TYPE", kind];
                        servers.node(index).execute(&kill).expect("killed");
                    }
                }
            })
            .await;
        };
        (a, b, kill)
    }

    chat_core::testing::broker::broker_reconnect_conformance!(two_and_a_fault);
}

/// All servers are lost, one after the other, and come back with the slots they had.
mod after_servers_are_killed {
    use super::*;

    async fn two_and_a_fault() -> (RedisCluster, RedisCluster, impl AsyncFn()) {
        let (servers, turn) = disturbed().await;
        let (a, b) = pair(&servers.urls()).await;
        let restart = async move || {
            let _turn = &turn;
            blocking(move || {
                for index in 0..3 {
                    servers.node(index).kill().expect("killed");
                    servers.node(index).start_again().expect("started");
                }
                servers.wait_until_whole().expect("whole");
            })
            .await;
        };
        (a, b, restart)
    }

    chat_core::testing::broker::broker_reconnect_conformance!(two_and_a_fault);
}
