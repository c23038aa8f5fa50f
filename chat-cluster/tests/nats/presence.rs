mod of_one_node {
    use chat_cluster::NatsCluster;
    use chat_core::testing::presence_conformance;

    use crate::support::pair;

    async fn one() -> Box<NatsCluster> {
        Box::new(pair().await.0)
    }

    presence_conformance!(one);
}

mod of_two_nodes {
    use chat_core::testing::presence_conformance;

    use crate::alternating::Alternating;
    use crate::support::pair;

    async fn two() -> Box<Alternating> {
        let (one, two) = pair().await;
        Box::new(Alternating::new(one, two, 0))
    }

    presence_conformance!(two);
}

mod of_two_nodes_the_other_way_round {
    use chat_core::testing::presence_conformance;

    use crate::alternating::Alternating;
    use crate::support::pair;

    async fn two() -> Box<Alternating> {
        let (one, two) = pair().await;
        Box::new(Alternating::new(one, two, 1))
    }

    presence_conformance!(two);
}

use std::collections::BTreeSet;
use std::time::Duration;

use chat_core::presence::{Lease, PresenceStore};
use chat_core::proto::{NodeId, PresenceStatus, UserId};
use futures::future::{join, join_all};

use crate::support::{pair, within};

const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(1);

fn users(count: usize) -> Vec<UserId> {
    (0..count).map(|n| format!("user{n}").parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_nodes_that_find_the_dead_at_once_one_is_told_of_each_user() {
    let (a, b) = pair().await;
    let dead: Vec<_> = (0..3).map(|_| NodeId::generate()).collect();
    let users = users(60);
    // Everybody is on two of three nodes.
    for (n, user) in users.iter().enumerate() {
        for node in [dead[n % 3], dead[(n + 1) % 3]] {
            a.enter(node, user, 1, PresenceStatus::Online, LONG).await.unwrap();
        }
    }
    join_all(dead.iter().map(|node| async { a.renew(*node, SHORT).await.unwrap() })).await;
    let mut told = Vec::new();
    within(async {
        while told.len() < users.len() {
            let (of_a, of_b) = join(a.expire(), b.expire()).await;
            let of_both = [of_a.unwrap(), of_b.unwrap()].concat();
            told.extend(of_both.into_iter().map(|(user, _)| user));
        }
    })
    .await;
    assert_eq!(BTreeSet::from_iter(&told), BTreeSet::from_iter(&users));
    assert_eq!(told.len(), users.len(), "somebody was told twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_users_are_looked_up_at_once() {
    let (a, b) = pair().await;
    let node = NodeId::generate();
    let all = users(1_000);
    for some in all[..500].chunks(50) {
        join_all(some.iter().map(|user| async {
            a.enter(node, user, 1, PresenceStatus::Online, LONG).await.unwrap()
        }))
        .await;
    }
    b.set_status(&all[7], PresenceStatus::Away).await.unwrap();
    let statuses = b.statuses(&all).await.unwrap();
    assert_eq!(statuses.len(), 500);
    assert!(statuses.contains(&(all[7].clone(), PresenceStatus::Away)));
    assert_eq!(a.online(10_000).await.unwrap().len(), 500);
    assert_eq!(a.online(0).await.unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arrivals_at_once_begin_one_lease() {
    let (a, _) = pair().await;
    let node = NodeId::generate();
    let arrivals = users(100);
    let entered =
        join_all(arrivals.iter().map(|user| a.enter(node, user, 1, PresenceStatus::Online, LONG)))
            .await;
    assert!(entered.into_iter().all(|entered| entered.unwrap().came_online));
    assert_eq!(a.renew(node, LONG).await.unwrap(), Lease::Kept);
    assert_eq!(a.online(1_000).await.unwrap().len(), 100);
}
