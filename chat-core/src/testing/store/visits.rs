//! Who is on which node, and when those were last seen whose node has died.

use std::collections::BTreeSet;
use std::time::Duration;

use chat_proto::{NodeId, UserId};
use futures::future::join_all;
use jiff::Timestamp;

use super::fixture::{user, user_id};
use crate::store::{EnsureUser, Store};

const ALL: usize = 100;

async fn last_seen(store: &dyn Store, id: &UserId) -> Option<Timestamp> {
    store.user(id).await.unwrap().unwrap().last_seen_at
}

/// Ends all visits but those to one node, however lately their nodes were alive.
async fn end(store: &dyn Store, except: NodeId) -> BTreeSet<UserId> {
    let ended = store.end_visits(except, Duration::ZERO, ALL).await.unwrap();
    let users: BTreeSet<_> = ended.iter().cloned().collect();
    assert_eq!(users.len(), ended.len(), "each once");
    users
}

/// Users of a node that died were last seen when it was last alive, and those of others were not.
pub async fn users_of_a_dead_node_were_seen_when_it_lived(store: &dyn Store) {
    let (dead, living) = (NodeId::generate(), NodeId::generate());
    let (ada, bob, cleo) =
        (user(store, "ada").await, user(store, "bob").await, user(store, "cleo").await);
    let first = Timestamp::now();
    store.record_alive(dead, &[ada.clone(), bob.clone(), user_id("nobody")]).await.unwrap();
    store.record_alive(living, std::slice::from_ref(&cleo)).await.unwrap();
    // It comes again, by another node.
    store.record_alive(living, std::slice::from_ref(&bob)).await.unwrap();
    store.record_alive(dead, &[]).await.unwrap();
    let last = Timestamp::now();
    assert_eq!(end(store, living).await, BTreeSet::from([ada.clone()]));
    let seen = last_seen(store, &ada).await.expect("seen");
    // A database may have a clock of its own, not far from this one.
    let clocks = Duration::from_secs(1);
    assert!(first - clocks <= seen && seen <= last + clocks, "{first} {seen} {last}");
    assert_eq!((last_seen(store, &bob).await, last_seen(store, &cleo).await), (None, None));
    assert_eq!(end(store, living).await, BTreeSet::new(), "once");
    assert_eq!(end(store, NodeId::generate()).await, BTreeSet::from([bob, cleo]));
}

/// A node that was alive lately is not dead.
pub async fn a_node_that_lives_keeps_its_users(store: &dyn Store) {
    let (node, other) = (NodeId::generate(), NodeId::generate());
    let ada = user(store, "ada").await;
    store.record_alive(node, std::slice::from_ref(&ada)).await.unwrap();
    let ended = store.end_visits(other, Duration::from_secs(3_600), ALL).await.unwrap();
    assert_eq!((ended, last_seen(store, &ada).await), (Vec::new(), None));
    assert_eq!(end(store, other).await, BTreeSet::from([ada]));
}

/// Who was recorded as gone is not on a node any more, and nobody was last seen earlier than recorded.
pub async fn a_departure_ends_a_visit(store: &dyn Store) {
    let (node, other) = (NodeId::generate(), NodeId::generate());
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    store.record_alive(node, &[ada.clone(), bob.clone()]).await.unwrap();
    let gone = Timestamp::from_second(1_700_000_000).unwrap();
    store.record_last_seen(&ada, gone).await.unwrap();
    assert_eq!(end(store, other).await, BTreeSet::from([bob.clone()]));
    assert_eq!(last_seen(store, &ada).await, Some(gone));
    store.record_alive(node, std::slice::from_ref(&bob)).await.unwrap();
    let later = Timestamp::now() + Duration::from_secs(3_600);
    let later = Timestamp::from_second(later.as_second()).unwrap();
    store.record_last_seen(&bob, later).await.unwrap();
    store.record_alive(node, std::slice::from_ref(&bob)).await.unwrap();
    assert_eq!(end(store, other).await, BTreeSet::from([bob.clone()]));
    assert_eq!(last_seen(store, &bob).await, Some(later), "it moves forward only");
}

/// Many visits are ended in portions, by several nodes at once, and each is told to one of them.
pub async fn visits_are_ended_once_by_many(store: &dyn Store) {
    let (node, other) = (NodeId::generate(), NodeId::generate());
    let mut users = Vec::new();
    for n in 0..20 {
        let new = super::fixture::new_user(&format!("user{n}"));
        let EnsureUser::Created(user) = store.ensure_user(new).await.unwrap() else { panic!() };
        users.push(user.id);
    }
    store.record_alive(node, &users).await.unwrap();
    let mut ended = Vec::new();
    loop {
        let ends = (0..3).map(|_| store.end_visits(other, Duration::ZERO, 3));
        let portion: Vec<_> = join_all(ends).await.into_iter().flat_map(Result::unwrap).collect();
        if portion.is_empty() {
            break;
        }
        ended.extend(portion);
    }
    ended.sort();
    users.sort();
    assert_eq!(ended, users);
}
