use std::time::{Duration, Instant};

use chat_test_servers::{Direction, TcpProxy};
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::dice::Dice;
use crate::world::{NODES, World};

/// Something that happens, and passes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// A node is killed, and started again.
    NodeKilled,
    /// A node is asked to end, and started again.
    NodeRestarted,
    /// A node stands still.
    NodeFrozen,
    /// The broker stands still.
    BrokerFrozen,
    /// The broker is killed, and another one takes its place.
    BrokerEmptied,
    /// Something is wrong between a node and the broker.
    NetworkToBroker,
    /// Something is wrong between a node and the database.
    NetworkToStore,
}

impl Fault {
    /// Has it happen to a node, or to all, and waits until it has passed.
    pub(crate) async fn happens(self, world: &mut World, node: usize, dice: &mut Dice) {
        match self {
            Self::NodeKilled => {
                world.directory.set(node, None);
                world.nodes[node].kill().await;
                sleep(dice.millis(0, 300)).await;
                world.start_again(node).await;
            }
            Self::NodeRestarted => {
                world.directory.set(node, None);
                world.nodes[node].stop().await;
                world.start_again(node).await;
            }
            Self::NodeFrozen => {
                world.nodes[node].signal("STOP").await;
                sleep(short_or_long(dice)).await;
                world.nodes[node].signal("CONT").await;
            }
            Self::BrokerFrozen => {
                block_in_place(|| world.broker.pause()).unwrap();
                sleep(short_or_long(dice)).await;
                block_in_place(|| world.broker.resume()).unwrap();
            }
            Self::BrokerEmptied => {
                block_in_place(|| world.broker.kill()).unwrap();
                sleep(dice.millis(0, 500)).await;
                block_in_place(|| world.broker.start_empty()).unwrap();
            }
            Self::NetworkToBroker => {
                let proxy = world.nodes[node].to_broker.as_ref().unwrap();
                fails(proxy, dice).await;
            }
            Self::NetworkToStore => fails(&world.nodes[node].to_store, dice).await,
        }
    }
}

/// Mostly shorter than the lease of presence, and now and then longer.
fn short_or_long(dice: &mut Dice) -> Duration {
    if dice.throw(4) == 0 { dice.millis(3_500, 4_500) } else { dice.millis(50, 1_500) }
}

async fn fails(proxy: &TcpProxy, dice: &mut Dice) {
    let time = dice.millis(100, 2_000);
    match dice.throw(4) {
        0 => {
            proxy.delay(Direction::ToServer, dice.millis(5, 300));
            proxy.delay(Direction::FromServer, dice.millis(5, 300));
            sleep(time).await;
        }
        1 => {
            block_in_place(|| proxy.cut());
            sleep(time).await;
        }
        blackhole => {
            proxy.blackhole().unwrap();
            sleep(time).await;
            if blackhole == 3 {
                // What was held back is lost, instead of coming late.
                block_in_place(|| proxy.cut());
            }
        }
    }
    proxy.pass().unwrap();
}

/// Has a fault happen again and again, to one node after another by chance or in turn, and each time
/// waits until everybody writes and reads
/// again.
pub(crate) async fn rounds(world: &mut World, fault: Fault, rounds: usize) {
    let mut dice = Dice::of(&format!("{fault:?}"));
    for round in 0..rounds {
        sleep(dice.millis(20, 400)).await;
        let node = match fault {
            Fault::NodeRestarted => round % NODES,
            _ => dice.throw(NODES),
        };
        let began = Instant::now();
        // Now and then all fall silent meanwhile. What was lost last is not shown by anything after it.
        let silent = dice.throw(3) == 0;
        if silent {
            let stopping = world.stops_after(dice.millis(0, 600));
            tokio::join!(fault.happens(world, node, &mut dice), stopping);
        } else {
            fault.happens(world, node, &mut dice).await;
        }
        let passed = began.elapsed();
        if silent {
            world.falls_silent().await;
            world.catches_up().await;
            world.writes(true);
        } else {
            world.goes_on().await;
        }
        let settled = began.elapsed() - passed;
        let silent = if silent { ", silent" } else { "" };
        println!(
            "{fault:?}: round {round}, node {node}{silent}: {passed:?}, well after {settled:?}"
        );
    }
}
