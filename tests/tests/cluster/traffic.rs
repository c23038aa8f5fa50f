//! What goes over the broker depends on nodes and on what happens, not on who is there.

use std::time::Duration;

use serde_json::json;
use tokio::task::{JoinSet, block_in_place};

use crate::broker::Broker;
use crate::person::Person;
use crate::soon;
use crate::world::World;

const CONVERSATIONS: usize = 100;
const ROUNDS: usize = 5;
const IDLE: usize = 60;
/// How long is counted: several renewals of a lease.
const WINDOW: Duration = Duration::from_secs(4);

pub(crate) async fn a_node_hears_nothing_of_conversations_elsewhere(broker: Broker) {
    let world = World::empty(broker, &["limits.messages_per_second=100000"]).await;
    let server = world.nodes[0].server();
    let (ada, bo) = (world.nodes[0].token("ada").await, world.nodes[0].token("bo").await);
    let cy = world.nodes[0].token("cy").await;
    let mut ada = Person::connect(server, &ada).await;
    let mut bo = Person::connect(server, &bo).await;
    let mut cy = Person::connect(world.nodes[1].server(), &cy).await;
    let _cy = tokio::spawn(async move { while cy.frame().await.is_some() {} });
    let mut places = Vec::new();
    for number in 0..CONVERSATIONS {
        let made = ada.does("conversation.create", json!({"name": format!("room {number}")})).await;
        let place = made["conversation"]["conversationId"].as_str().unwrap().to_owned();
        bo.does("conversation.join", json!({"conversationId": place})).await;
        places.push(place);
    }
    let before = block_in_place(|| world.broker.received_by("cy"));
    let reading = tokio::spawn(async move {
        for _ in 0..ROUNDS * CONVERSATIONS {
            bo.event("message.created").await;
        }
    });
    for round in 0..ROUNDS {
        for place in &places {
            ada.sends(place, &round.to_string()).await;
        }
    }
    soon("all messages", reading).await.unwrap();
    let heard = block_in_place(|| world.broker.received_by("cy")) - before;
    // What there is are answers about its own lease.
    assert!(heard < CONVERSATIONS as u64, "{heard}");
    let subscribers = block_in_place(|| world.broker.most_subscribers(&places));
    assert!(subscribers <= 1, "{subscribers}");
}

pub(crate) async fn idle_connections_cost_the_broker_nothing(broker: Broker) {
    let world = World::empty(broker, &[]).await;
    let counted = async || {
        let before = block_in_place(|| world.broker.operations());
        tokio::time::sleep(WINDOW).await;
        block_in_place(|| world.broker.operations()) - before
    };
    let alone = counted().await;
    let mut people = JoinSet::new();
    for number in 0..IDLE {
        let node = &world.nodes[number % world.nodes.len()];
        let token = node.token(&format!("user-{number}")).await;
        let mut person = Person::connect(node.server(), &token).await;
        // Pings have to be answered.
        people.spawn(async move { while person.frame().await.is_some() {} });
    }
    // What their coming costs is over after a while; what their being there cost would never be.
    soon("as little as with nobody", async {
        loop {
            let together = counted().await;
            println!("{alone} operations with nobody, {together} with {IDLE} connections");
            if together < alone + (IDLE / 2) as u64 {
                return;
            }
        }
    })
    .await;
    assert_eq!(people.len(), IDLE);
    assert!(people.try_join_next().is_none(), "all are still there");
}
