//! Two nodes over one database and a broker that loses, repeats and reorders.

use std::sync::Arc;

use chat_core::auth::Identity;
use chat_core::testing::{Faults, FaultyBroker};
use chat_core::{Chat, ChatConfig, MemoryPresence, Outgoing, Session};
use serde_json::{Value, json};

use crate::home::Home;
use crate::soon;

pub(crate) async fn two_nodes_over_one_database_tell_one_order(home: Home) {
    let broker = FaultyBroker::new(Faults::MANY, 11);
    let presence = MemoryPresence::new();
    let mut nodes = Vec::new();
    let mut stores = Vec::new();
    for _ in 0..2 {
        let store = home.open().await;
        let mut config = ChatConfig { reconcile_interval_ms: 500, ..ChatConfig::default() };
        config.limits = config.limits.without_rates();
        let node = Chat::builder(store.store())
            .broker(Arc::new(broker.node()))
            .presence(Arc::new(presence.clone()))
            .config(config)
            .build();
        nodes.push(node);
        stores.push(store);
    }
    let mut ada = nodes[0].attach(&Identity::of("ada".parse().unwrap())).await.unwrap();
    let mut bo = nodes[1].attach(&Identity::of("bo".parse().unwrap())).await.unwrap();
    ada.receive(
        &json!({"id": 1, "type": "conversation.open", "payload": {"username": "bo"}}).to_string(),
    );
    let opened = until(&mut ada, |frame| frame["id"] == 1, &mut Vec::new()).await;
    let place = opened["payload"]["conversation"]["conversationId"].clone();

    let (from_ada, from_bo) = tokio::join!(talk(&mut ada, &place, 100), talk(&mut bo, &place, 100));
    assert_eq!(from_ada, (1..=200).collect::<Vec<_>>(), "every message once and in order");
    assert_eq!(from_bo, from_ada);
    let place = serde_json::from_value(place).unwrap();
    assert_eq!(stores[1].store().heads(&[place]).await.unwrap()[0].last_seq, 200);
    for (node, store) in nodes.into_iter().zip(stores) {
        node.shutdown().await;
        store.close().await;
    }
}

/// Sends, and takes in the messages of both until there are twice as many; returns their numbers.
async fn talk(device: &mut Session, place: &Value, count: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    for n in 0..count {
        let payload = json!({"conversationId": place, "content": n.to_string()});
        device.receive(
            &json!({"id": 100 + n, "type": "message.send", "payload": payload}).to_string(),
        );
        until(device, |frame| frame["id"] == 100 + n, &mut seen).await;
    }
    while seen.len() < 2 * count {
        until(device, |frame| frame["type"] == "message.created", &mut seen).await;
    }
    seen
}

/// Takes in frames up to the one that is wanted, and notes the numbers of messages on the way.
async fn until(
    device: &mut Session,
    wanted: impl Fn(&Value) -> bool,
    seen: &mut Vec<u64>,
) -> Value {
    soon("a frame", async {
        loop {
            let Outgoing::Frames(frames) = device.next().await else { panic!("closed") };
            let mut found = None;
            for frame in frames {
                let frame: Value = serde_json::from_slice(&frame).unwrap();
                if frame["type"] == "message.created" {
                    seen.push(frame["payload"]["message"]["seq"].as_u64().unwrap());
                }
                if wanted(&frame) {
                    found = Some(frame);
                }
            }
            if let Some(found) = found {
                return found;
            }
        }
    })
    .await
}
