//! A Redis server that is not there, does not let nodes in, freezes, or forgets everything.

#![cfg(feature = "redis")]

mod redis_support;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chat_cluster::{ClusterConfig, ConnectError, RedisCluster};
use chat_core::broker::{Broker, Received};
use chat_core::limit::{Limit, LimitKey, Quota, SharedLimits, Verdict};
use chat_core::presence::{Lease, PresenceStore};
use chat_core::proto::{NodeId, PresenceStatus, UserId};
use chat_test_servers::{Redis, TcpProxy};
use redis_support::{
    PATIENCE, blocking, chain, config, conversation, event, member, namespace, pair, refusal, say,
    until,
};

/// A word that must not be seen.
const CANARY: &str = "canary";
/// A lease that no test outlives.
const LONG: Duration = Duration::from_secs(3_600);

async fn redis() -> Arc<Redis> {
    blocking(|| Arc::new(Redis::start().expect("redis-server"))).await
}

/// A member that soon gives up.
async fn impatient(url: String) -> RedisCluster {
    let mut config = config(&[url], &namespace());
    config.timeout = Duration::from_secs(1);
    RedisCluster::connect(config).await.expect("connected")
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_shown() {
    let start = || Redis::builder().password("right").start().expect("redis-server");
    let redis = blocking(start).await;
    for credentials in [":canary@", "someone:canary@", ""] {
        let url = format!("redis://{credentials}127.0.0.1:{}", redis.port());
        let error = refusal(ClusterConfig::new([url])).await;
        assert!(matches!(error, ConnectError::AccessDenied { .. }), "{error:?}");
        let said = chain(&error);
        assert!(!said.contains(CANARY), "{said}");
        assert!(said.contains(&redis.port().to_string()), "{said}");
    }
    let member = member(&[redis.url()], &namespace()).await;
    member.probe().await.expect("let in");
    assert!(!format!("{member:?}").contains("right"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let url = "redis://someone:canary@127.0.0.1:1";
    let error = refusal(ClusterConfig::new([url])).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    assert!(!chain(&error).contains(CANARY));

    let redis = redis().await;
    let proxy = TcpProxy::start(("127.0.0.1", redis.port())).expect("a proxy");
    proxy.blackhole().expect("blackhole");
    let mut silent = ClusterConfig::new([proxy.url(&redis.url())]);
    silent.timeout = Duration::from_millis(100);
    let error = refusal(silent).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_configured_wrongly_is_told() {
    for url in ["nats://canary@host", "redis://host/canary", "canary", "redis+unix:///canary"] {
        let error = refusal(ClusterConfig::new([url])).await;
        assert!(matches!(error, ConnectError::Url { .. }), "{error:?}");
        assert!(!chain(&error).contains(CANARY), "{error:?}");
    }
    assert!(matches!(refusal(ClusterConfig::new([""; 0])).await, ConnectError::NoUrl));
    let mut config = ClusterConfig::new(["rediss://127.0.0.1"]);
    config.ca_file = Some("/dev/null/nothing".into());
    assert!(matches!(refusal(config).await, ConnectError::Certificates(_)));
    let urls = blocking(|| [Redis::shared().url(), Redis::shared().url()]).await;
    let error = refusal(ClusterConfig::new(urls)).await;
    assert!(matches!(error, ConnectError::Unsuitable { .. }), "{error:?}");
}

/// Every call of a member fails.
async fn everything_fails(member: &RedisCluster) {
    let (node, user) = (NodeId::generate(), UserId::generate());
    let key = LimitKey { limit: Limit::Sends, user: user.clone() };
    let quota = Quota::new(NonZeroU32::MIN, LONG, 1);
    let subject = conversation();
    let calls = async {
        assert!(say(member, &subject, "lost").await.is_err());
        assert!(member.subscribe(vec![subject.clone()]).await.is_err());
        assert!(member.probe().await.is_err());
        let failures = [
            member.enter(node, &user, 1, PresenceStatus::Online, LONG).await.map(drop),
            member.leave(node, &user).await.map(drop),
            member.renew(node, LONG).await.map(drop),
            member.expire().await.map(drop),
            member.set_status(&user, PresenceStatus::Away).await,
            member.statuses(std::slice::from_ref(&user)).await.map(drop),
            member.online(10).await.map(drop),
            member.count(&key, &quota).await.map(drop),
        ];
        for failure in failures {
            let error = failure.expect_err("redis is away");
            assert!(error.is_unavailable(), "{}", chain(&error));
        }
    };
    tokio::time::timeout(PATIENCE, calls).await.expect("nothing hangs");
}

/// A frozen server keeps connections open and takes what is written; only the clock tells.
#[tokio::test]
async fn calls_of_a_frozen_server_fail_and_succeed_again() {
    let redis = redis().await;
    let member = impatient(redis.url()).await;
    let subject = conversation();
    member.subscribe(vec![subject.clone()]).await.expect("subscribed");
    redis.pause().expect("paused");
    everything_fails(&member).await;
    redis.resume().expect("resumed");
    until("back", || async { member.probe().await.is_ok() }).await;
    let node = NodeId::generate();
    member.enter(node, &UserId::generate(), 1, PresenceStatus::Online, LONG).await.expect("back");
    // The connection was given up, and perhaps with it what was said meanwhile.
    assert_eq!(event(&member).await, Received::Reconnected);
}

#[tokio::test]
async fn calls_without_a_server_fail_and_succeed_again() {
    let redis = redis().await;
    let member = impatient(redis.url()).await;
    redis.kill().expect("killed");
    everything_fails(&member).await;
    let again = Arc::clone(&redis);
    blocking(move || again.start_again().expect("started")).await;
    until("back", || async { member.probe().await.is_ok() }).await;
}

/// Nothing says that the other end is gone: the connection by which a node hears has to be asked.
#[tokio::test]
async fn a_connection_that_ends_without_a_word_is_noticed() {
    let redis = redis().await;
    let proxy = TcpProxy::start(("127.0.0.1", redis.port())).expect("a proxy");
    let namespace = namespace();
    let mut behind = config(&[proxy.url(&redis.url())], &namespace);
    behind.timeout = Duration::from_secs(1);
    let behind = RedisCluster::connect(behind).await.expect("connected");
    let other = member(&[redis.url()], &namespace).await;
    let subject = conversation();
    behind.subscribe(vec![subject.clone()]).await.expect("subscribed");
    proxy.blackhole().expect("blackhole");
    say(&other, &subject, "into the dark").await.expect("published");
    // The old connections stay dark; only new ones are let through.
    until("noticed", || async {
        let error = say(&behind, &subject, "anybody?").await.expect_err("dark");
        chain(&error).contains("no connection")
    })
    .await;
    proxy.pass().expect("pass");
    while event(&behind).await != Received::Reconnected {}
    say(&other, &subject, "into the light").await.expect("published");
    while !matches!(event(&behind).await, Received::Message(message)
        if message.payload == "into the light")
    {}
}

#[tokio::test]
async fn a_server_that_forgot_everything_is_no_obstacle() {
    let redis = redis().await;
    let (one, other) = pair(&[redis.url()]).await;
    let (node, user) = (NodeId::generate(), UserId::generate());
    let key = LimitKey { limit: Limit::Openings, user: user.clone() };
    let quota = Quota::new(NonZeroU32::MIN, LONG, 1);
    one.enter(node, &user, 1, PresenceStatus::Online, LONG).await.expect("entered");
    assert_eq!(one.count(&key, &quota).await.expect("counted"), Verdict::Allowed);
    let again = Arc::clone(&redis);
    blocking(move || again.restart().expect("restarted")).await;
    for member in [&one, &other] {
        until("back", || async { member.probe().await.is_ok() }).await;
    }
    assert_eq!(other.statuses(std::slice::from_ref(&user)).await.expect("read"), []);
    assert_eq!(one.renew(node, LONG).await.expect("renewed"), Lease::Begun);
    assert!(
        one.enter(node, &user, 1, PresenceStatus::Online, LONG).await.expect("entered").came_online
    );
    assert_eq!(other.count(&key, &quota).await.expect("counted"), Verdict::Allowed);
    assert_ne!(one.count(&key, &quota).await.expect("counted"), Verdict::Allowed);
}
