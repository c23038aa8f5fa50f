//! Slots of a Redis Cluster that go from one server to another, while nodes use them.

#![cfg(feature = "redis")]

mod redis_support;

use std::net::TcpListener;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chat_cluster::RedisCluster;
use chat_core::broker::{Broker, Received, Subject};
use chat_core::limit::{Limit, LimitKey, Quota, SharedLimits, Verdict};
use chat_core::presence::PresenceStore;
use chat_core::proto::{NodeId, PresenceStatus, UserId};
use chat_test_servers::{Redis, RedisCluster as Servers};
use redis_support::{blocking, conversation, event, member, namespace, say, until};

const LONG: Duration = Duration::from_secs(3_600);

async fn servers() -> Arc<Servers> {
    blocking(|| Arc::new(Servers::start().expect("redis-server"))).await
}

fn run(redis: &Redis, command: &[&str]) -> String {
    redis.execute(command).expect("a command").trim().to_owned()
}

/// Says something until it is heard; returns whether an interruption was told before.
async fn until_heard(from: &RedisCluster, to: &RedisCluster, subject: &Subject) -> bool {
    let mut told = false;
    let mut again = tokio::time::interval(Duration::from_millis(50));
    let hearing = async {
        loop {
            tokio::select! {
                _ = again.tick() => drop(say(from, subject, "there?").await),
                received = to.receive() => match received.expect("open") {
                    Received::Message(message) if message.subject == *subject => return told,
                    Received::Message(_) => {}
                    _ => told = true,
                },
            }
        }
    };
    tokio::time::timeout(redis_support::PATIENCE, hearing).await.expect("heard")
}

#[tokio::test]
async fn subscriptions_follow_a_slot_that_moves() {
    let servers = servers().await;
    let namespace = namespace();
    let one = member(&servers.urls(), &namespace).await;
    let other = member(&servers.urls(), &namespace).await;
    let Subject::Conversation(id) = conversation() else { unreachable!() };
    let (subject, elsewhere) = (Subject::Conversation(id), conversation());
    other.subscribe(vec![subject.clone(), elsewhere]).await.expect("subscribed");
    assert!(!until_heard(&one, &other, &subject).await);

    let channel = format!("{namespace}.conversation.{id}");
    let moved = Arc::clone(&servers);
    blocking(move || {
        let from = moved.node_of(&channel).expect("a server");
        let to = (from + 1) % 3;
        let slot = run(moved.node(0), &["CLUSTER", "KEYSLOT", &channel]);
        let id = run(moved.node(to), &["CLUSTER", "MYID"]);
        // The one that receives it has to know first.
        for index in [to, from, (to + 1) % 3] {
            run(moved.node(index), &["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
        }
    })
    .await;
    while event(&other).await != Received::Reconnected {}
    until_heard(&one, &other, &subject).await;
    other.probe().await.expect("all is well");
}

/// A key whose slot is just being moved is where it will be, or still where it was.
#[tokio::test]
async fn keys_are_found_while_their_slot_moves() {
    let servers = servers().await;
    let namespace = namespace();
    let member = member(&servers.urls(), &namespace).await;
    let user = UserId::generate();
    let key = LimitKey { limit: Limit::Sends, user };
    let name = format!("{namespace}.limit.{key}");
    let quota = Quota::new(NonZeroU32::MIN, LONG, 2);
    let count = async || member.count(&key, &quota).await.expect("counted");

    let migrating = {
        let (servers, name) = (Arc::clone(&servers), name.clone());
        blocking(move || {
            let from = servers.node_of(&name).expect("a server");
            let to = (from + 1) % 3;
            let slot = run(servers.node(0), &["CLUSTER", "KEYSLOT", &name]);
            let [from_id, to_id] =
                [from, to].map(|index| run(servers.node(index), &["CLUSTER", "MYID"]));
            run(servers.node(to), &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
            run(servers.node(from), &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
            (from, to, slot, to_id)
        })
        .await
    };
    // The key is new, so the server that is giving the slot away sends us on.
    assert_eq!(count().await, Verdict::Allowed);
    let (from, to, slot, to_id) = migrating;
    let finished = Arc::clone(&servers);
    let there = blocking(move || {
        let there = run(finished.node(to), &["CLUSTER", "COUNTKEYSINSLOT", &slot]);
        for index in [to, from, (to + 1) % 3] {
            run(finished.node(index), &["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
        }
        there
    })
    .await;
    assert_eq!(there, "1");
    assert_eq!(count().await, Verdict::Allowed);
    assert_ne!(count().await, Verdict::Allowed);
}

/// A replica for a server of a cluster.
fn replica_of(servers: &Servers, index: usize) -> Redis {
    let free = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let bus = free.local_addr().expect("a port").port();
    drop(free);
    let replica = Redis::builder()
        .setting("cluster-enabled", "yes")
        .setting("cluster-config-file", "nodes.conf")
        .setting("cluster-node-timeout", "3000")
        .setting("cluster-port", &bus.to_string())
        .start()
        .expect("redis-server");
    let port = replica.port().to_string();
    run(servers.node(index), &["CLUSTER", "MEET", "127.0.0.1", &port, &bus.to_string()]);
    replica
}

#[tokio::test]
async fn a_replica_takes_the_place_of_a_server() {
    let servers = servers().await;
    let namespace = namespace();
    let one = member(&servers.urls(), &namespace).await;
    let other = member(&servers.urls(), &namespace).await;
    let subjects: Vec<_> = (0..30).map(|_| conversation()).collect();
    other.subscribe(subjects.clone()).await.expect("subscribed");
    let replica = {
        let servers = Arc::clone(&servers);
        Arc::new(blocking(move || replica_of(&servers, 0)).await)
    };
    let master = {
        let servers = Arc::clone(&servers);
        blocking(move || run(servers.node(0), &["CLUSTER", "MYID"])).await
    };
    // Until the replica knows its master, has copied it, and the others know the replica.
    until("a replica", || async {
        let (replica, servers, master) =
            (Arc::clone(&replica), Arc::clone(&servers), master.clone());
        blocking(move || {
            let state = run(&replica, &["INFO", "replication"]);
            if state.contains("role:master") {
                // Refused until it knows that one; asked again, it would begin anew.
                let _ = replica.execute(&["CLUSTER", "REPLICATE", &master]);
            }
            let copied = state.contains("master_link_status:up");
            let port = replica.port().to_string();
            let is_known = |index| {
                let nodes = run(servers.node(index), &["CLUSTER", "NODES"]);
                nodes.lines().any(|line| line.contains(&port) && line.contains("slave"))
            };
            copied && (0..3).all(is_known)
        })
        .await
    })
    .await;
    let killed = (Arc::clone(&servers), Arc::clone(&replica));
    blocking(move || {
        let (servers, replica) = killed;
        servers.node(0).kill().expect("killed");
        run(&replica, &["CLUSTER", "FAILOVER", "TAKEOVER"]);
    })
    .await;
    while event(&other).await != Received::Reconnected {}
    for subject in &subjects {
        until_heard(&one, &other, subject).await;
    }
    until("in order", || async {
        one.enter(NodeId::generate(), &UserId::generate(), 1, PresenceStatus::Online, LONG)
            .await
            .is_ok()
    })
    .await;
}
