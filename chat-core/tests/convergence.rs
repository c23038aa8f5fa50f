//! The heart of the matter: two nodes over one store and a broker that loses, repeats and reorders.
//! Whatever happens in between, every client ends up equal to the store, and on the way is told each
//! change once and in order.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::sync::Arc;

use chat_core::proto::ConversationId;
use chat_core::store::InboxStore;
use chat_core::testing::{Faults, FaultyBroker};
use chat_core::{Chat, ChatConfig, MemoryPresence, MemoryStore};
use common::replica::{Replica, whole};
use proptest::prelude::*;
use serde_json::json;

/// Nodes of one cluster, in one process.
struct Cluster {
    store: Arc<MemoryStore>,
    broker: FaultyBroker,
    nodes: Vec<Chat>,
}

impl Cluster {
    fn new(faults: Faults, seed: u64) -> Self {
        let store = Arc::new(MemoryStore::new());
        let broker = FaultyBroker::new(faults, seed);
        let presence = MemoryPresence::new();
        let nodes = (0..2).map(|_| {
            Chat::builder(store.clone())
                .broker(Arc::new(broker.node()))
                .presence(Arc::new(presence.clone()))
                .config(ChatConfig { reconcile_interval_ms: 500, ..common::unlimited() })
                .build()
        });
        let nodes = nodes.collect();
        Self { store, broker, nodes }
    }
}

/// Something that happens.
#[derive(Debug, Clone)]
enum Step {
    /// A user sends so many messages in one go.
    Send(usize, u8),
    /// A user's connection breaks.
    Disconnect(usize),
    /// A user connects to a node, having been connected or not.
    Connect(usize, usize),
    Join(usize),
    Leave(usize),
    /// A user takes in what has come.
    CatchUp(usize),
    Faults(Faults),
    /// Time for timers to fire.
    Wait(u16),
}

const USERS: [&str; 4] = ["ada", "bo", "cy", "di"];

fn step() -> impl Strategy<Value = Step> {
    let user = 0..USERS.len();
    prop_oneof![
        6 => (user.clone(), 1u8..12).prop_map(|(user, count)| Step::Send(user, count)),
        1 => user.clone().prop_map(Step::Disconnect),
        3 => (user.clone(), 0..2usize).prop_map(|(user, node)| Step::Connect(user, node)),
        1 => user.clone().prop_map(Step::Join),
        1 => user.clone().prop_map(Step::Leave),
        2 => user.prop_map(Step::CatchUp),
        1 => (0u8..40, 0u8..40, 0u8..20)
            .prop_map(|(lost, repeated, delayed)| Step::Faults(Faults { lost, repeated, delayed })),
        1 => (0u16..1_200).prop_map(Step::Wait),
    ]
}

async fn play(seed: u64, steps: Vec<Step>) {
    let cluster = Cluster::new(Faults::MANY, seed);
    let mut users: Vec<_> = USERS.iter().map(|user| Replica::new(user)).collect();
    for (n, user) in users.iter_mut().enumerate() {
        user.connect(&cluster.nodes[n % 2]).await;
    }
    let owner = users[0].device.as_mut().unwrap();
    let room = owner.creates("general").await;
    for user in &mut users[1..] {
        user.device.as_mut().unwrap().joins(room).await;
    }

    for (n, step) in steps.into_iter().enumerate() {
        match step {
            Step::Send(user, count) => send(&mut users[user], room, n, count).await,
            Step::Disconnect(user) => users[user].disconnect(),
            Step::Connect(user, node) => users[user].connect(&cluster.nodes[node]).await,
            Step::Join(user) => {
                if let Some(device) = &mut users[user].device {
                    device.joins(room).await;
                }
            }
            Step::Leave(user) => {
                if let Some(device) = &mut users[user].device {
                    // Not a member: then there is nothing to leave.
                    let _ =
                        device.tries("conversation.leave", json!({"conversationId": room})).await;
                }
            }
            Step::CatchUp(user) => users[user].catch_up().await,
            Step::Faults(faults) => cluster.broker.set_faults(faults),
            Step::Wait(ms) => {
                tokio::time::advance(std::time::Duration::from_millis(ms.into())).await
            }
        }
    }

    // From now on nothing is lost any more, and everybody who is a member ends up the same.
    cluster.broker.set_faults(Faults::NONE);
    let head = whole(&*cluster.store, room).await.change_seq;
    for (n, user) in users.iter_mut().enumerate() {
        let id = user.user.parse().unwrap();
        let memberships = cluster.store.summary(&id, room).await.unwrap();
        if user.device.is_none() {
            user.connect(&cluster.nodes[n % 2]).await;
        }
        if memberships.is_some() {
            user.reaches(room, head).await;
        } else {
            user.forgets(room).await;
        }
        user.equals(&cluster.store).await;
    }
}

/// Sends without waiting for each answer. What is acknowledged is stored, in order.
async fn send(user: &mut Replica, room: ConversationId, step: usize, count: u8) {
    let Some(device) = &mut user.device else { return };
    let ids: Vec<_> = (0..count)
        .map(|n| {
            let text = format!("{} {step}.{n}", user.user);
            device.begin("message.send", json!({"conversationId": room, "content": text}))
        })
        .collect();
    let mut last = 0;
    for id in ids {
        match device.answer(id).await {
            Ok(reply) => {
                let seq = reply["message"]["seq"].as_u64().unwrap();
                assert!(seq > last, "sends of one device keep their order");
                last = seq;
            }
            Err(error) => assert_eq!(error["code"], "not_found", "only who has left is refused"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_client_ends_equal_to_the_store(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(seed, steps));
    }
}

/// With real threads and real time, and everybody sending at once from both nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_nodes_tell_one_order_while_all_send_at_once() {
    let cluster = Cluster::new(Faults::MANY, 7);
    let mut users: Vec<_> = USERS.iter().map(|user| Replica::new(user)).collect();
    for (n, user) in users.iter_mut().enumerate() {
        user.connect(&cluster.nodes[n % 2]).await;
    }
    let room = users[0].device.as_mut().unwrap().creates("general").await;
    for user in &mut users[1..] {
        user.device.as_mut().unwrap().joins(room).await;
    }
    let sending = users.into_iter().map(|mut user| {
        tokio::spawn(async move {
            for round in 0..25 {
                send(&mut user, room, round, 8).await;
                user.catch_up().await;
            }
            user
        })
    });
    let users = futures::future::join_all(sending).await;
    cluster.broker.set_faults(Faults::NONE);
    let head = whole(&*cluster.store, room).await;
    assert_eq!(head.messages.len(), USERS.len() * 25 * 8);
    assert!(head.messages.keys().copied().eq(1..=head.messages.len() as u64));
    for user in users {
        let mut user = user.unwrap();
        user.reaches(room, head.change_seq).await;
        user.equals(&cluster.store).await;
    }
}

/// The first message of a direct conversation, to somebody on the other node, with news of the
/// conversation itself lost.
#[tokio::test(start_paused = true)]
async fn a_conversation_whose_beginning_was_lost_is_found() {
    let cluster = Cluster::new(Faults { lost: 100, repeated: 0, delayed: 0 }, 1);
    let mut ada = Replica::new("ada");
    let mut bo = Replica::new("bo");
    ada.connect(&cluster.nodes[0]).await;
    bo.connect(&cluster.nodes[1]).await;
    let place = ada.device.as_mut().unwrap().opens("bo").await;
    send(&mut ada, place, 0, 5).await;
    let head = whole(&*cluster.store, place).await;
    bo.reaches(place, head.change_seq).await;
    assert_eq!(bo.places[&place].messages, head.messages);
}

/// Presence across nodes: one status for a user on two nodes, and a node that dies.
#[tokio::test(start_paused = true)]
async fn a_user_is_online_while_a_session_lives_on_any_node() {
    let cluster = Cluster::new(Faults::NONE, 1);
    let mut ada = common::Device::attach(&cluster.nodes[0], "ada").await;
    let here = common::Device::attach(&cluster.nodes[0], "bo").await;
    let there = common::Device::attach(&cluster.nodes[1], "bo").await;
    ada.opens("bo").await;
    drop(here);
    tokio::time::advance(std::time::Duration::from_secs(40)).await;
    let told = ada.everything().await;
    assert!(told.iter().all(|frame| frame["payload"]["status"] != "offline"), "{told:?}");
    drop(there);
    let gone = ada.wait_for(|frame| frame["payload"]["status"] == "offline").await;
    assert_eq!(gone["payload"]["userId"], "bo");
}

#[tokio::test(start_paused = true)]
async fn users_of_a_node_that_dies_go_offline_when_its_lease_ends() {
    let mut cluster = Cluster::new(Faults::NONE, 1);
    let mut ada = common::Device::attach(&cluster.nodes[0], "ada").await;
    let bo = common::Device::attach(&cluster.nodes[1], "bo").await;
    ada.opens("bo").await;
    // A node that dies says nothing: its tasks end, and its session with them.
    let dead = cluster.nodes.pop().unwrap();
    std::mem::forget(bo);
    dead.abandon();
    let gone = ada.wait_for(|frame| frame["payload"]["status"] == "offline").await;
    assert_eq!(gone["payload"]["userId"], "bo");
}
