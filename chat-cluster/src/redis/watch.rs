use std::sync::Arc;
use std::time::Duration;

use foldhash::{HashMap, HashMapExt};
use futures::future::join_all;

use super::access::{Access, Address};
use super::discovery::{layout_of, rediscover};
use super::layout::Layout;
use super::link::State;
use super::listening::Listening;
use super::servers::Servers;

/// How long nobody asks after somebody has.
const PAUSE: Duration = Duration::from_millis(200);
/// How many servers are asked.
const ASKED: usize = 5;

/// Follows the servers of a Redis Cluster: slots that move, and replicas that take the place of
/// servers. Looks when something was not where it should be, and every two timeouts.
pub(super) async fn watch(servers: Arc<Servers>, listening: Arc<Listening>, seeds: Vec<Access>) {
    let timeout = seeds.first().map_or(PAUSE, |seed| seed.timeout);
    loop {
        // Whether somebody told or time has passed is the same.
        let _ = tokio::time::timeout(2 * timeout, servers.stale.notified()).await;
        let known = servers.layout();
        let found = match look(&servers, &known, timeout).await {
            Some(found) => Some(found),
            None => rediscover(&seeds).await,
        };
        if let Some(found) = found.filter(|found| found.is_cluster() && *found != *known) {
            tracing::info!(servers = ?found.servers(), "slots of the redis cluster have moved");
            servers.rearrange(found);
            listening.rearrange(servers.layout());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What most of the servers say that are connected: one that was away may not know yet.
async fn look(servers: &Servers, known: &Layout, timeout: Duration) -> Option<Layout> {
    let asked = known.servers().into_iter().filter_map(|address| connected(servers, address));
    let asked = asked.take(ASKED).map(|(mut connected, address)| async move {
        let asking = layout_of(&mut connected.connection, &address);
        tokio::time::timeout(timeout, asking).await.ok()?.ok()?
    });
    let mut votes = HashMap::<Layout, usize>::new();
    for layout in join_all(asked).await.into_iter().flatten() {
        *votes.entry(layout).or_default() += 1;
    }
    votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(layout, _)| layout)
}

fn connected(servers: &Servers, address: Address) -> Option<(super::link::Connected, Address)> {
    match servers.link(&address).ok()?.state() {
        State::Up(connected) => Some((connected, address)),
        State::Connecting | State::Down(_) => None,
    }
}
