//! One thing fails again and again, under load.

use crate::broker::Broker;
use crate::faults::{Fault, rounds};
use crate::world::World;

/// How often each fault happens, unless `CHAT_TEST_ROUNDS` says otherwise.
const ROUNDS: usize = 10;

async fn endures(broker: Broker, fault: Fault, steady: bool) {
    let times = std::env::var("CHAT_TEST_ROUNDS").map_or(ROUNDS, |times| times.parse().unwrap());
    let mut world = World::talking(broker).await;
    rounds(&mut world, fault, times).await;
    world.ends_well(steady, &format!("{fault:?}")).await;
}

pub(crate) async fn nodes_are_killed(broker: Broker) {
    endures(broker, Fault::NodeKilled, true).await;
}

pub(crate) async fn nodes_stand_still(broker: Broker) {
    // Who is on a node that stands still for longer than the lease is taken for gone.
    endures(broker, Fault::NodeFrozen, false).await;
}

pub(crate) async fn the_broker_stands_still(broker: Broker) {
    endures(broker, Fault::BrokerFrozen, true).await;
}

pub(crate) async fn the_broker_is_killed_and_comes_back_empty(broker: Broker) {
    endures(broker, Fault::BrokerEmptied, true).await;
}

pub(crate) async fn the_network_to_the_broker_fails(broker: Broker) {
    // A node that cannot reach the broker for longer than the lease is taken for dead.
    endures(broker, Fault::NetworkToBroker, false).await;
}

pub(crate) async fn the_network_to_the_database_fails(broker: Broker) {
    endures(broker, Fault::NetworkToStore, true).await;
}

pub(crate) async fn nodes_are_restarted_one_after_another(broker: Broker) {
    endures(broker, Fault::NodeRestarted, true).await;
}
