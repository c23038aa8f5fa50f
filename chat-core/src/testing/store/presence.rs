//! Presence: who is online on which node.

use std::collections::BTreeSet;
use std::time::Duration;

use chat_proto::{NodeId, PresenceStatus, UserId};
use futures::future::join_all;

use PresenceStatus::Online;

use super::fixture::user_id;
use crate::presence::{Entered, Lease, PresenceStore};

/// A lease that no case outlives.
const LONG: Duration = Duration::from_secs(3_600);
/// A lease that runs out at once.
const SHORT: Duration = Duration::from_millis(1);

/// Waits until somebody's lease has run out, and returns who is gone.
async fn expired(store: &dyn PresenceStore) -> Vec<UserId> {
    expired_as(store).await.into_iter().map(|(user, _)| user).collect()
}

/// The same, and how each was shown.
async fn expired_as(store: &dyn PresenceStore) -> Vec<(UserId, PresenceStatus)> {
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

/// A user comes to a node with one device, for long; returns whether that made the user online.
async fn enter(store: &dyn PresenceStore, node: NodeId, user: &UserId) -> bool {
    store.enter(node, user, 1, Online, LONG).await.unwrap().came_online
}

/// The first node on which a user is makes the user online, and the last makes an end of it.
pub async fn a_user_is_online_while_on_one_node(store: &dyn PresenceStore) {
    let (one, two) = (NodeId::generate(), NodeId::generate());
    let ada = user_id("ada");
    assert!(!store.leave(one, &ada).await.unwrap());
    assert!(!is_online(store, &ada).await);
    assert!(enter(store, one, &ada).await);
    assert!(!enter(store, one, &ada).await);
    assert!(!enter(store, two, &ada).await);
    assert!(is_online(store, &ada).await);
    assert!(!store.leave(one, &ada).await.unwrap());
    assert!(!store.leave(one, &ada).await.unwrap());
    assert!(is_online(store, &ada).await);
    assert!(store.leave(two, &ada).await.unwrap());
    assert!(!store.leave(two, &ada).await.unwrap());
    assert!(!is_online(store, &ada).await);
    assert!(enter(store, two, &ada).await);
}

/// Of calls at the same moment, one is told.
pub async fn arrivals_and_departures_at_once_are_told_once(store: &dyn PresenceStore) {
    let ada = user_id("ada");
    let nodes: Vec<_> = (0..10).map(|_| NodeId::generate()).collect();
    let told = |answers: Vec<bool>| answers.into_iter().filter(|told| *told).count();
    assert_eq!(told(join_all(nodes.iter().map(|node| enter(store, *node, &ada))).await), 1);
    let leave = async |node| store.leave(node, &ada).await.unwrap();
    assert_eq!(told(join_all(nodes.iter().map(|node| leave(*node))).await), 1);
}

/// When a node dies its users go offline, which one caller is told.
pub async fn a_lost_lease_ends_presence_once(store: &dyn PresenceStore) {
    let node = NodeId::generate();
    let users = ["ada", "bob"].map(user_id);
    for user in &users {
        store.enter(node, user, 1, Online, SHORT).await.unwrap();
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
    assert!(enter(store, node, &users[0]).await);
}

/// Whoever goes offline with a node is told of with how the user was shown: nobody may learn that
/// one who was shown as offline has gone.
pub async fn the_gone_are_told_with_how_they_were_shown(store: &dyn PresenceStore) {
    let node = NodeId::generate();
    let shown = [
        (user_id("ada"), PresenceStatus::Invisible),
        (user_id("bob"), PresenceStatus::Online),
        (user_id("cleo"), PresenceStatus::Away),
    ];
    for (user, status) in &shown {
        enter(store, node, user).await;
        store.set_status(user, *status).await.unwrap();
    }
    store.renew(node, SHORT).await.unwrap();
    let mut gone = Vec::new();
    while gone.len() < shown.len() {
        gone.extend(expired_as(store).await);
    }
    gone.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(gone, shown);
    // The next time begins as everybody's does.
    enter(store, node, &shown[0].0).await;
    let statuses = store.statuses(&[shown[0].0.clone()]).await.unwrap();
    assert_eq!(statuses, [(shown[0].0.clone(), PresenceStatus::Online)]);
}

/// A node that renews in time keeps its users.
pub async fn a_renewed_lease_does_not_end(store: &dyn PresenceStore) {
    let (living, dead) = (NodeId::generate(), NodeId::generate());
    let (ada, bob) = (user_id("ada"), user_id("bob"));
    store.enter(living, &ada, 1, Online, Duration::from_secs(60)).await.unwrap();
    store.renew(living, LONG).await.unwrap();
    store.enter(dead, &bob, 1, Online, SHORT).await.unwrap();
    assert_eq!(expired(store).await, [bob]);
    assert!(is_online(store, &ada).await);
}

/// Who is on two nodes, of which one dies, is still online.
pub async fn a_user_on_a_living_node_outlives_a_dead_one(store: &dyn PresenceStore) {
    let (living, dead) = (NodeId::generate(), NodeId::generate());
    let (ada, bob) = (user_id("ada"), user_id("bob"));
    enter(store, living, &ada).await;
    store.enter(dead, &ada, 1, Online, SHORT).await.unwrap();
    store.enter(dead, &bob, 1, Online, SHORT).await.unwrap();
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
    enter(store, one, &ada).await;
    enter(store, one, &bob).await;
    assert_eq!(shown(&ada).await, [(ada.clone(), PresenceStatus::Online)]);
    for status in [PresenceStatus::Away, PresenceStatus::Invisible] {
        store.set_status(&ada, status).await.unwrap();
        assert_eq!(shown(&ada).await, [(ada.clone(), status)]);
    }
    enter(store, two, &ada).await;
    store.leave(one, &ada).await.unwrap();
    assert_eq!(shown(&ada).await, [(ada.clone(), PresenceStatus::Invisible)]);
    assert_eq!(shown(&bob).await, [(bob.clone(), PresenceStatus::Online)]);
    store.leave(two, &ada).await.unwrap();
    enter(store, two, &ada).await;
    assert_eq!(shown(&ada).await, [(ada.clone(), PresenceStatus::Online)]);
    store.leave(two, &ada).await.unwrap();
    store.set_status(&ada, PresenceStatus::Away).await.unwrap();
    assert_eq!(shown(&ada).await, []);
    enter(store, two, &ada).await;
    assert_eq!(shown(&ada).await, [(ada.clone(), PresenceStatus::Online)]);
}

/// Whoever arrives is shown as chosen from the first moment on, and a later arrival on another node
/// changes nothing of that.
pub async fn who_arrives_is_shown_as_chosen(store: &dyn PresenceStore) {
    let (one, two) = (NodeId::generate(), NodeId::generate());
    let ada = user_id("ada");
    let shown = async || store.statuses(std::slice::from_ref(&ada)).await.unwrap();
    for status in [PresenceStatus::Invisible, PresenceStatus::Away, Online] {
        let entered = store.enter(one, &ada, 1, status, LONG).await.unwrap();
        assert!(entered.came_online);
        assert_eq!(shown().await, [(ada.clone(), status)]);
        store.enter(two, &ada, 1, Online, LONG).await.unwrap();
        store.enter(one, &ada, 2, PresenceStatus::Away, LONG).await.unwrap();
        assert_eq!(shown().await, [(ada.clone(), status)]);
        store.leave(one, &ada).await.unwrap();
        assert!(store.leave(two, &ada).await.unwrap());
    }
    store.enter(one, &ada, 1, PresenceStatus::Invisible, LONG).await.unwrap();
    store.renew(one, SHORT).await.unwrap();
    assert_eq!(expired_as(store).await, [(ada.clone(), PresenceStatus::Invisible)]);
}

/// Those online are told once each, and no more than asked for.
pub async fn the_online_are_listed_up_to_a_limit(store: &dyn PresenceStore) {
    let (one, two) = (NodeId::generate(), NodeId::generate());
    let users: Vec<_> = (0..5).map(|n| user_id(&format!("user{n}"))).collect();
    for user in &users {
        enter(store, one, user).await;
        enter(store, two, user).await;
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

/// A node is told when its lease was not in force: at the beginning, and after it ran out. Whether
/// it renews it by itself or by somebody's arrival is the same.
pub async fn a_node_is_told_that_its_lease_was_lost(store: &dyn PresenceStore) {
    let (node, other) = (NodeId::generate(), NodeId::generate());
    let (ada, bob) = (user_id("ada"), user_id("bob"));
    assert_eq!(store.renew(node, LONG).await.unwrap(), Lease::Begun);
    assert_eq!(store.renew(node, LONG).await.unwrap(), Lease::Kept);
    let entered = store.enter(node, &ada, 1, Online, LONG).await.unwrap();
    assert_eq!(entered, Entered { came_online: true, devices: 1, lease: Lease::Kept });
    let entered = store.enter(other, &bob, 1, Online, SHORT).await.unwrap();
    assert_eq!(entered.lease, Lease::Begun);
    assert_eq!(expired(store).await, std::slice::from_ref(&bob));
    let entered = store.enter(other, &bob, 1, Online, LONG).await.unwrap();
    assert_eq!(entered, Entered { came_online: true, devices: 1, lease: Lease::Begun });
    assert_eq!(store.renew(other, LONG).await.unwrap(), Lease::Kept);
}

/// A shorter lease takes the place of a longer one: whoever has not gone elsewhere by its end is
/// gone then, and whoever has is not.
pub async fn a_lease_can_be_handed_over(store: &dyn PresenceStore) {
    let (ending, next) = (NodeId::generate(), NodeId::generate());
    let (ada, bob) = (user_id("ada"), user_id("bob"));
    assert!(enter(store, ending, &ada).await);
    assert!(enter(store, ending, &bob).await);
    assert!(!enter(store, next, &ada).await, "one who moves never was away");
    store.renew(ending, SHORT).await.unwrap();
    assert_eq!(expired(store).await, [bob]);
    assert!(is_online(store, &ada).await);
}

/// Devices are counted over all nodes that live, as each node last said.
pub async fn devices_are_counted_over_all_nodes(store: &dyn PresenceStore) {
    let (one, two, dead) = (NodeId::generate(), NodeId::generate(), NodeId::generate());
    let (ada, bob) = (user_id("ada"), user_id("bob"));
    let devices = async |node: NodeId, user: &UserId, count: u32| {
        store.enter(node, user, count, Online, LONG).await.unwrap().devices
    };
    assert_eq!(devices(one, &ada, 1).await, 1);
    assert_eq!(devices(two, &ada, 3).await, 4);
    assert_eq!(devices(one, &ada, 2).await, 5);
    assert_eq!(devices(one, &bob, 1).await, 1);
    store.enter(dead, &ada, 7, Online, LONG).await.unwrap();
    store.enter(dead, &bob, 1, Online, LONG).await.unwrap();
    // Not with a short lease: had that run out already, this would be the end.
    assert!(!store.leave(one, &bob).await.unwrap());
    store.renew(dead, SHORT).await.unwrap();
    assert_eq!(expired(store).await, std::slice::from_ref(&bob));
    assert_eq!(devices(two, &ada, 1).await, 3);
    store.leave(one, &ada).await.unwrap();
    assert_eq!(devices(two, &ada, 1).await, 1);
}

/// A user's id may hold anything that ids may hold, and be as long.
pub async fn users_with_any_id_are_apart(store: &dyn PresenceStore) {
    let node = NodeId::generate();
    let ids = ["a.b", "a:b", "a~b", "A.B", "a@b", "a_b", "a-b", &"x".repeat(64)].map(user_id);
    for user in &ids {
        assert!(enter(store, node, user).await, "{user}");
    }
    store.set_status(&ids[0], PresenceStatus::Away).await.unwrap();
    assert!(store.leave(node, &ids[1]).await.unwrap());
    let mut online = store.statuses(&ids).await.unwrap();
    online.sort_by(|a, b| a.0.cmp(&b.0));
    let mut expected: Vec<_> = ids
        .iter()
        .filter(|user| **user != ids[1])
        .map(|user| {
            let away = *user == ids[0];
            (user.clone(), if away { PresenceStatus::Away } else { PresenceStatus::Online })
        })
        .collect();
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(online, expected);
}

/// A node may lose its lease with many users, all of whom one caller is told.
pub async fn many_users_of_a_dead_node_are_gone_at_once(store: &dyn PresenceStore) {
    let node = NodeId::generate();
    let users: BTreeSet<_> = (0..300).map(|n| user_id(&format!("user{n}"))).collect();
    for user in &users {
        store.enter(node, user, 1, Online, LONG).await.unwrap();
    }
    store.renew(node, SHORT).await.unwrap();
    let mut gone = BTreeSet::new();
    while gone.len() < users.len() {
        for user in expired(store).await {
            assert!(gone.insert(user), "each once");
        }
    }
    assert_eq!(gone, users);
}
