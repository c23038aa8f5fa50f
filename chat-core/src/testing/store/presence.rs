//! Presence: who is online on which node.

use std::collections::BTreeSet;
use std::time::Duration;

use chat_proto::{NodeId, PresenceStatus, UserId};
use futures::future::join_all;

use super::fixture::user_id;
use crate::presence::PresenceStore;

/// A lease that no case outlives.
const LONG: Duration = Duration::from_secs(3_600);
/// A lease that runs out at once.
const SHORT: Duration = Duration::from_millis(1);

/// Waits until somebody's lease has run out, and returns who is gone.
async fn expired(store: &dyn PresenceStore) -> Vec<UserId> {
    let mut look = tokio::time::interval(Duration::from_millis(5));
    loop {
        look.tick().await;
        let gone = store.expire().await.unwrap();
        if !gone.is_empty() {
            return gone;
        }
    }
}

async fn is_online(store: &dyn PresenceStore, user: &UserId) -> bool {
    let statuses = store.statuses(std::slice::from_ref(user)).await.unwrap();
    statuses.iter().any(|(online, _)| online == user)
}

/// The first node on which a user is makes the user online, and the last makes an end of it.
pub async fn a_user_is_online_while_on_one_node(store: &dyn PresenceStore) {
    let (one, two) = (NodeId::generate(), NodeId::generate());
    let ada = user_id("ada");
    assert!(!store.leave(one, &ada).await.unwrap());
    assert!(!is_online(store, &ada).await);
    assert!(store.enter(one, &ada, LONG).await.unwrap());
    assert!(!store.enter(one, &ada, LONG).await.unwrap());
    assert!(!store.enter(two, &ada, LONG).await.unwrap());
    assert!(is_online(store, &ada).await);
    assert!(!store.leave(one, &ada).await.unwrap());
    assert!(!store.leave(one, &ada).await.unwrap());
    assert!(is_online(store, &ada).await);
    assert!(store.leave(two, &ada).await.unwrap());
    assert!(!store.leave(two, &ada).await.unwrap());
    assert!(!is_online(store, &ada).await);
    assert!(store.enter(two, &ada, LONG).await.unwrap());
}

/// Of calls at the same moment, one is told.
pub async fn arrivals_and_departures_at_once_are_told_once(store: &dyn PresenceStore) {
    let ada = user_id("ada");
    let nodes: Vec<_> = (0..10).map(|_| NodeId::generate()).collect();
    let told = |answers: Vec<Result<bool, _>>| {
        answers.into_iter().map(Result::unwrap).filter(|told| *told).count()
    };
    let entered = join_all(nodes.iter().map(|node| store.enter(*node, &ada, LONG))).await;
    assert_eq!(told(entered), 1);
    let left = join_all(nodes.iter().map(|node| store.leave(*node, &ada))).await;
    assert_eq!(told(left), 1);
}

/// When a node dies its users go offline, which one caller is told.
pub async fn a_lost_lease_ends_presence_once(store: &dyn PresenceStore) {
    let node = NodeId::generate();
    let users = ["ada", "bob"].map(user_id);
    for user in &users {
        store.enter(node, user, SHORT).await.unwrap();
    }
    let gone = expired(store).await;
    assert_eq!(BTreeSet::from_iter(&gone), BTreeSet::from_iter(&users));
    assert_eq!(gone.len(), 2);
    let more = join_all((0..4).map(|_| store.expire())).await;
    assert!(more.into_iter().all(|gone| gone.unwrap().is_empty()));
    for user in &users {
        assert!(!is_online(store, user).await);
        assert!(!store.leave(node, user).await.unwrap(), "the end was told already");
    }
    assert!(store.enter(node, &users[0], LONG).await.unwrap());
}

/// A node that renews in time keeps its users.
pub async fn a_renewed_lease_does_not_end(store: &dyn PresenceStore) {
    let (living, dead) = (NodeId::generate(), NodeId::generate());
    let (ada, bob) = (user_id("ada"), user_id("bob"));
    store.enter(living, &ada, Duration::from_secs(60)).await.unwrap();
    store.renew(living, LONG).await.unwrap();
    store.enter(dead, &bob, SHORT).await.unwrap();
    assert_eq!(expired(store).await, [bob]);
    assert!(is_online(store, &ada).await);
}

/// Who is on two nodes, of which one dies, is still online.
pub async fn a_user_on_a_living_node_outlives_a_dead_one(store: &dyn PresenceStore) {
    let (living, dead) = (NodeId::generate(), NodeId::generate());
    let (ada, bob) = (user_id("ada"), user_id("bob"));
    store.enter(living, &ada, LONG).await.unwrap();
    store.enter(dead, &ada, SHORT).await.unwrap();
    store.enter(dead, &bob, SHORT).await.unwrap();
    assert_eq!(expired(store).await, [bob]);
    assert!(is_online(store, &ada).await);
    assert!(store.leave(living, &ada).await.unwrap());
    assert!(!is_online(store, &ada).await);
}

/// What a user chose to be shown as is forgotten when the user goes offline.
pub async fn a_status_lasts_while_online(store: &dyn PresenceStore) {
    let (one, two) = (NodeId::generate(), NodeId::generate());
    let (ada, bob) = (user_id("ada"), user_id("bob"));
    let shown = async |user: &UserId| store.statuses(std::slice::from_ref(user)).await.unwrap();
    store.enter(one, &ada, LONG).await.unwrap();
    store.enter(one, &bob, LONG).await.unwrap();
    assert_eq!(shown(&ada).await, [(ada.clone(), PresenceStatus::Online)]);
    for status in [PresenceStatus::Away, PresenceStatus::Invisible] {
        store.set_status(&ada, status).await.unwrap();
        assert_eq!(shown(&ada).await, [(ada.clone(), status)]);
    }
    store.enter(two, &ada, LONG).await.unwrap();
    store.leave(one, &ada).await.unwrap();
    assert_eq!(shown(&ada).await, [(ada.clone(), PresenceStatus::Invisible)]);
    assert_eq!(shown(&bob).await, [(bob.clone(), PresenceStatus::Online)]);
    store.leave(two, &ada).await.unwrap();
    store.enter(two, &ada, LONG).await.unwrap();
    assert_eq!(shown(&ada).await, [(ada.clone(), PresenceStatus::Online)]);
    store.leave(two, &ada).await.unwrap();
    store.set_status(&ada, PresenceStatus::Away).await.unwrap();
    assert_eq!(shown(&ada).await, []);
    store.enter(two, &ada, LONG).await.unwrap();
    assert_eq!(shown(&ada).await, [(ada.clone(), PresenceStatus::Online)]);
}

/// Those online are told once each, and no more than asked for.
pub async fn the_online_are_listed_up_to_a_limit(store: &dyn PresenceStore) {
    let (one, two) = (NodeId::generate(), NodeId::generate());
    let users: Vec<_> = (0..5).map(|n| user_id(&format!("user{n}"))).collect();
    for user in &users {
        store.enter(one, user, LONG).await.unwrap();
        store.enter(two, user, LONG).await.unwrap();
    }
    store.set_status(&users[3], PresenceStatus::Away).await.unwrap();
    let all = store.online(10).await.unwrap();
    assert_eq!(all.len(), 5);
    for (n, user) in users.iter().enumerate() {
        let status = if n == 3 { PresenceStatus::Away } else { PresenceStatus::Online };
        assert!(all.contains(&(user.clone(), status)));
    }
    assert_eq!(store.online(2).await.unwrap().len(), 2);
    let some = [users[1].clone(), user_id("nobody"), users[1].clone()];
    assert_eq!(store.statuses(&some).await.unwrap().len(), 1);
}
