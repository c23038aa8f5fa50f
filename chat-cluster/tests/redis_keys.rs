//! What nodes leave in Redis, what it costs, and that several do not disturb each other.

#![cfg(feature = "redis")]

mod redis_support;

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use chat_cluster::RedisCluster;
use chat_core::broker::{Broker, BrokerMessage, Received};
use chat_core::limit::{Limit, LimitKey, Quota, SharedLimits};
use chat_core::presence::PresenceStore;
use chat_core::proto::{NodeId, PresenceStatus, UserId};
use chat_test_servers::Redis;
use futures::future::join_all;
use redis_support::{blocking, conversation, event, member, namespace, pair, say, until};

const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(1);

async fn redis() -> Redis {
    blocking(|| Redis::start().expect("redis-server")).await
}

/// How often the server has carried out each command that clients sent.
fn calls(redis: &Redis) -> BTreeMap<String, u64> {
    let said = redis.execute(&["INFO", "commandstats"]).expect("statistics");
    let line = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
    };
    said.lines().filter_map(line).collect()
}

/// How many more scripts were run, and messages published.
async fn cost<T>(redis: &Redis, work: impl Future<Output = T>) -> (u64, u64) {
    let count = |calls: &BTreeMap<String, u64>, name: &str| calls.get(name).copied().unwrap_or(0);
    let before = calls(redis);
    work.await;
    let after = calls(redis);
    let more = |name| count(&after, name) - count(&before, name);
    (more("evalsha") + more("eval"), more("publish"))
}

#[tokio::test]
async fn nothing_stays_for_ever() {
    let redis = redis().await;
    let namespace = namespace();
    let member = member(&[redis.url()], &namespace).await;
    let (node, user) = (NodeId::generate(), UserId::generate());
    member.enter(node, &user, 1, PresenceStatus::Online, LONG).await.expect("entered");
    member.set_status(&user, PresenceStatus::Away).await.expect("set");
    member
        .enter(NodeId::generate(), &user, 1, PresenceStatus::Online, SHORT)
        .await
        .expect("entered");
    let key = LimitKey { limit: Limit::Sends, user: user.clone() };
    let quota = Quota::new(NonZeroU32::MIN, LONG, 1);
    member.count(&key, &quota).await.expect("counted");
    let keys = redis.execute(&["KEYS", "*"]).expect("keys");
    assert!(keys.lines().count() >= 6, "{keys}");
    for key in keys.lines() {
        assert!(key.starts_with(&format!("{namespace}.")), "{key}");
        let left: i64 = redis.execute(&["PTTL", key]).expect("asked").trim().parse().expect("ms");
        assert!(left > 0 && left <= 8 * 24 * 3_600_000, "{key} is kept for {left} ms");
    }
}

/// A user who stays for weeks is not forgotten, as the node goes on renewing its lease.
#[tokio::test]
async fn users_are_kept_while_their_node_lives() {
    const PARTS: usize = 256;
    let redis = redis().await;
    let member = member(&[redis.url()], &namespace()).await;
    let node = NodeId::generate();
    for _ in 0..20 {
        member
            .enter(node, &UserId::generate(), 1, PresenceStatus::Online, LONG)
            .await
            .expect("entered");
    }
    let keys = redis.execute(&["KEYS", "*"]).expect("keys");
    for key in keys.lines() {
        redis.execute(&["PEXPIRE", key, "3600000"]).expect("an hour is left");
    }
    for _ in 0..PARTS {
        member.renew(node, LONG).await.expect("renewed");
    }
    for key in keys.lines() {
        let left: i64 = redis.execute(&["PTTL", key]).expect("asked").trim().parse().expect("ms");
        assert!(left > 7 * 24 * 3_600_000, "{key} is kept for {left} ms");
    }
}

#[tokio::test]
async fn nothing_stays_of_who_has_gone() {
    let redis = redis().await;
    let member = member(&[redis.url()], &namespace()).await;
    let (living, dead) = (NodeId::generate(), NodeId::generate());
    let users: Vec<_> = (0..50).map(|_| UserId::generate()).collect();
    for user in &users {
        member.enter(living, user, 1, PresenceStatus::Online, LONG).await.expect("entered");
        member.enter(dead, user, 1, PresenceStatus::Online, LONG).await.expect("entered");
    }
    for user in &users {
        assert!(!member.leave(living, user).await.expect("left"));
    }
    member.renew(dead, SHORT).await.expect("renewed");
    let mut gone = HashSet::new();
    while gone.len() < users.len() {
        gone.extend(member.expire().await.expect("expired").into_iter().map(|(user, _)| user));
    }
    let left = redis.execute(&["KEYS", "*{leases}*"]).expect("keys");
    let all = redis.execute(&["KEYS", "*"]).expect("keys");
    assert_eq!(all.lines().count(), left.lines().count(), "{all}");
    assert_eq!(member.expire().await.expect("expired"), []);
}

/// What users do is two steps for Redis: the leases, and the user.
#[tokio::test]
async fn a_change_of_presence_is_two_steps() {
    let redis = redis().await;
    let member = member(&[redis.url()], &namespace()).await;
    let (node, user) = (NodeId::generate(), UserId::generate());
    // From the second time on the server knows the scripts.
    for _ in 0..2 {
        member.enter(node, &user, 1, PresenceStatus::Online, LONG).await.expect("entered");
        member.leave(node, &user).await.expect("left");
        member.renew(node, LONG).await.expect("renewed");
        member.statuses(std::slice::from_ref(&user)).await.expect("read");
    }
    assert_eq!(cost(&redis, member.enter(node, &user, 1, PresenceStatus::Online, LONG)).await.0, 2);
    assert_eq!(cost(&redis, member.statuses(std::slice::from_ref(&user))).await.0, 1);
    assert_eq!(cost(&redis, member.leave(node, &user)).await.0, 2);
    assert_eq!(cost(&redis, member.renew(node, LONG)).await.0, 1);
    let message = || BrokerMessage { subject: conversation(), payload: Bytes::new() };
    let messages = (0..100).map(|_| message()).collect();
    assert_eq!(cost(&redis, member.publish(messages)).await, (0, 100));
}

#[tokio::test]
async fn statuses_of_a_thousand_users_are_read_at_once() {
    let urls = [blocking(|| Redis::shared().url()).await];
    let (one, other) = pair(&urls).await;
    let node = NodeId::generate();
    let users: Vec<_> = (0..1_000).map(|_| UserId::generate()).collect();
    for hundred in users.chunks(100) {
        let entering =
            hundred.iter().map(|user| one.enter(node, user, 1, PresenceStatus::Online, LONG));
        assert!(join_all(entering).await.into_iter().all(|entered| entered.unwrap().came_online));
    }
    assert_eq!(other.statuses(&users).await.expect("read").len(), 1_000);
    assert_eq!(other.online(2_000).await.expect("read").len(), 1_000);
    assert_eq!(other.online(300).await.expect("read").len(), 300);
}

/// Whoever looks at the same moment, each user is told of once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_nodes_that_find_one_dead_share_its_users() {
    let urls = [blocking(|| Redis::shared().url()).await];
    let namespace = namespace();
    let members = join_all((0..4).map(|_| member(&urls, &namespace))).await;
    let dead = NodeId::generate();
    let users: HashSet<_> = (0..500).map(|_| UserId::generate()).collect();
    join_all(
        users.iter().map(|user| members[0].enter(dead, user, 1, PresenceStatus::Online, LONG)),
    )
    .await;
    members[0].renew(dead, SHORT).await.expect("renewed");
    let mut told = Vec::new();
    while told.len() < users.len() {
        for gone in join_all(members.iter().map(PresenceStore::expire)).await {
            told.extend(gone.expect("expired"));
        }
    }
    assert_eq!(told.len(), users.len());
    assert_eq!(told.into_iter().map(|(user, _)| user).collect::<HashSet<_>>(), users);
}

/// A node that was paused for longer than its lease may renew it before anybody has noticed.
#[tokio::test]
async fn users_of_a_lease_that_was_lost_have_to_enter_again() {
    let urls = [blocking(|| Redis::shared().url()).await];
    let (one, other) = pair(&urls).await;
    let (node, user) = (NodeId::generate(), UserId::generate());
    let online = async || !other.statuses(std::slice::from_ref(&user)).await.unwrap().is_empty();
    one.enter(node, &user, 1, PresenceStatus::Online, LONG).await.expect("entered");
    one.renew(node, SHORT).await.expect("renewed");
    until("over", || async { !online().await }).await;
    one.renew(node, LONG).await.expect("renewed");
    assert!(!online().await);
    assert!(
        one.enter(node, &user, 1, PresenceStatus::Online, LONG).await.expect("entered").came_online
    );
    assert!(online().await);
    assert_eq!(other.expire().await.expect("expired"), []);
    assert!(one.leave(node, &user).await.expect("left"));
}

#[tokio::test]
async fn a_node_does_not_hear_itself() {
    let urls = [blocking(|| Redis::shared().url()).await];
    let (one, other) = pair(&urls).await;
    let subject = conversation();
    for member in [&one, &other] {
        member.subscribe(vec![subject.clone()]).await.expect("subscribed");
    }
    say(&one, &subject, "to others").await.expect("published");
    say(&other, &subject, "to one").await.expect("published");
    assert_eq!(text(event(&one).await), "to one");
    assert_eq!(text(event(&other).await), "to others");
}

#[tokio::test]
async fn installations_that_share_a_server_do_not_hear_each_other() {
    let urls = [blocking(|| Redis::shared().url()).await];
    let (one, other) = pair(&urls).await;
    let stranger = member(&urls, &namespace()).await;
    let (node, user, subject) = (NodeId::generate(), UserId::generate(), conversation());
    other.subscribe(vec![subject.clone()]).await.expect("subscribed");
    say(&stranger, &subject, "of another house").await.expect("published");
    say(&one, &subject, "of this house").await.expect("published");
    assert_eq!(text(event(&other).await), "of this house");
    stranger.enter(node, &user, 1, PresenceStatus::Online, LONG).await.expect("entered");
    assert_eq!(one.online(10).await.expect("read"), []);
}

fn text(received: Received) -> String {
    match received {
        Received::Message(message) => String::from_utf8_lossy(&message.payload).into_owned(),
        other => panic!("{other:?} is no message"),
    }
}

#[tokio::test]
async fn clones_are_one_member() {
    let urls = [blocking(|| Redis::shared().url()).await];
    let one: RedisCluster = member(&urls, &namespace()).await;
    let clone = one.clone();
    clone.close().await;
    assert!(one.probe().await.is_err());
    assert!(one.expire().await.is_err());
}
