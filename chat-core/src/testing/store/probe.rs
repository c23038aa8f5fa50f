//! Asking a store whether it works.

use futures::future::join_all;

use super::fixture::{head, room, send, user};
use crate::store::Store;

/// A store that works says so, also to many at once, and also among writes.
pub async fn a_store_that_works_says_so_to_many_at_once(store: &dyn Store) {
    store.probe().await.unwrap();
    let ada = user(store, "ada").await;
    let room = room(store, &ada, "general").await;
    let probes = join_all((0..12).map(|_| store.probe()));
    let sends = join_all((0..6).map(|_| send(store, room, &ada, "hi")));
    let (probes, _) = futures::join!(probes, sends);
    probes.into_iter().for_each(Result::unwrap);
    store.probe().await.unwrap();
    let head = head(store, room).await;
    assert_eq!((head.last_seq, head.change_seq), (6, 7), "a probe leaves nothing behind");
}
