use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chat_cluster::NatsCluster;
use chat_core::broker::{Broker, BrokerMessage, Received, Subject};
use chat_core::limit::{Limit, LimitKey, Quota, SharedLimits, Verdict};
use chat_core::presence::{Lease, PresenceStore};
use chat_core::proto::{NodeId, PresenceStatus, UserId};
use chat_test_servers::{Nats, TcpProxy};

use crate::support::{blocking, config, connect, server, until, until_it_fails, within};

const LONG: Duration = Duration::from_secs(3_600);

async fn start_empty(nats: &Arc<Nats>) {
    let nats = Arc::clone(nats);
    blocking(move || nats.start_empty().unwrap()).await;
}

fn burst(events: u32) -> Quota {
    Quota::new(NonZeroU32::MIN, LONG, events)
}

#[tokio::test]
async fn a_server_that_lost_everything_is_filled_anew() {
    let nats = server().await;
    let config = config(&nats);
    let (a, b) = (connect(&config).await, connect(&config).await);
    let (node, user) = (NodeId::generate(), UserId::generate());
    let key = LimitKey { limit: Limit::Sends, user: user.clone() };
    let online = [(user.clone(), PresenceStatus::Online)];

    a.enter(node, &user, 1, PresenceStatus::Online, LONG).await.unwrap();
    assert_eq!(a.renew(node, LONG).await.unwrap(), Lease::Kept);
    assert_eq!(a.count(&key, &burst(1)).await.unwrap(), Verdict::Allowed);
    assert_eq!(b.statuses(std::slice::from_ref(&user)).await.unwrap(), online);

    start_empty(&nats).await;
    assert_eq!(until(async || b.statuses(std::slice::from_ref(&user)).await).await, []);
    assert_eq!(until(async || b.online(10).await).await, []);
    assert_eq!(until(async || b.expire().await).await, []);
    assert!(!until(async || b.leave(NodeId::generate(), &user).await).await);
    until(async || b.set_status(&user, PresenceStatus::Away).await).await;
    assert_eq!(until(async || a.renew(node, LONG).await).await, Lease::Begun);
    assert_eq!(a.renew(node, LONG).await.unwrap(), Lease::Kept);
    assert!(a.enter(node, &user, 1, PresenceStatus::Online, LONG).await.unwrap().came_online);
    assert_eq!(b.statuses(std::slice::from_ref(&user)).await.unwrap(), online);
    assert_eq!(until(async || b.count(&key, &burst(1)).await).await, Verdict::Allowed);
    assert_ne!(until(async || a.count(&key, &burst(1)).await).await, Verdict::Allowed);
}

#[tokio::test]
async fn an_arrival_at_a_server_that_lost_everything_begins_the_lease() {
    let nats = server().await;
    let cluster = connect(&config(&nats)).await;
    let (node, user) = (NodeId::generate(), UserId::generate());
    cluster.enter(node, &user, 1, PresenceStatus::Online, LONG).await.unwrap();
    start_empty(&nats).await;
    let entered =
        until(async || cluster.enter(node, &user, 1, PresenceStatus::Online, LONG).await).await;
    assert_eq!(entered.lease, Lease::Begun);
    // Only an answer that was lost can have been the first.
    assert_eq!(entered.devices, 1);
    assert_eq!(cluster.renew(node, LONG).await.unwrap(), Lease::Kept);
}

/// All calls that wait for the server.
async fn all_fail(cluster: &NatsCluster) {
    let (node, user) = (NodeId::generate(), UserId::generate());
    let key = LimitKey { limit: Limit::Sends, user: user.clone() };
    let (users, quota) = (std::slice::from_ref(&user), burst(1));
    let (entered, left, renewed, expired, set, statuses, online, counted, subscribed, probed) = tokio::join!(
        cluster.enter(node, &user, 1, PresenceStatus::Online, LONG),
        cluster.leave(node, &user),
        cluster.renew(node, LONG),
        cluster.expire(),
        cluster.set_status(&user, PresenceStatus::Away),
        cluster.statuses(users),
        cluster.online(10),
        cluster.count(&key, &quota),
        cluster.subscribe(vec![Subject::User(user.clone())]),
        cluster.probe(),
    );
    assert!(entered.unwrap_err().is_unavailable());
    assert!(left.unwrap_err().is_unavailable());
    assert!(renewed.unwrap_err().is_unavailable());
    assert!(expired.unwrap_err().is_unavailable());
    assert!(set.unwrap_err().is_unavailable());
    assert!(statuses.unwrap_err().is_unavailable());
    assert!(online.unwrap_err().is_unavailable());
    assert!(counted.unwrap_err().is_unavailable());
    assert!(subscribed.is_err() && probed.is_err());
}

#[tokio::test]
async fn a_frozen_server_keeps_nobody_waiting_for_ever() {
    let nats = server().await;
    let mut config = config(&nats);
    config.timeout = Duration::from_secs(1);
    let (a, b) = (connect(&config).await, connect(&config).await);
    let subject = Subject::User(UserId::generate());
    b.subscribe(vec![subject.clone()]).await.unwrap();

    nats.pause().unwrap();
    within(all_fail(&a)).await;
    nats.resume().unwrap();

    until(async || a.probe().await).await;
    until(async || b.probe().await).await;
    let node = NodeId::generate();
    until(async || a.renew(node, LONG).await).await;
    let news = BrokerMessage { subject, payload: "news".into() };
    let told = until(async || {
        a.publish(vec![news.clone()]).await.map_err(drop)?;
        let received = tokio::time::timeout(Duration::from_secs(1), b.receive());
        let received = received.await.map_err(drop)?.unwrap();
        if received == Received::Message(news.clone()) { Ok(received) } else { Err(()) }
    });
    assert_eq!(told.await, Received::Message(news.clone()));
}

#[tokio::test]
async fn a_network_that_lets_nothing_through_is_noticed() {
    let nats = Nats::shared();
    let proxy = TcpProxy::start(("127.0.0.1", nats.port())).unwrap();
    let mut config = config(nats);
    let far = connect(&config).await;
    config.timeout = Duration::from_secs(1);
    config.urls = vec![proxy.url(&nats.url())];
    let near = connect(&config).await;
    let subject = Subject::User(UserId::generate());
    near.subscribe(vec![subject.clone()]).await.unwrap();

    proxy.blackhole().unwrap();
    within(all_fail(&near)).await;
    // The connection is given up, although nobody has ended it.
    let late = BrokerMessage { subject: subject.clone(), payload: "late".into() };
    until_it_fails(async || near.publish(vec![late.clone()]).await).await;
    proxy.cut();
    proxy.pass().unwrap();
    while within(near.receive()).await.unwrap() != Received::Reconnected {}
    until(async || near.probe().await).await;
    let news = BrokerMessage { subject, payload: "news".into() };
    far.publish(vec![news.clone()]).await.unwrap();
    loop {
        if within(near.receive()).await.unwrap() == Received::Message(news.clone()) {
            break;
        }
    }
}
