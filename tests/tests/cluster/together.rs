//! What nodes count and end together.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};

use crate::broker::Broker;
use crate::person::{Person, handshake};
use crate::soon;
use crate::world::World;

/// Long before nodes compare their sessions with the store, and far longer than news take.
const BY_NEWS: Duration = Duration::from_secs(5);

const LOGIN: &str = r#"{"username": "bo", "password": "correct horse battery"}"#;

/// Logs bo in on a node, and returns the token.
async fn login(world: &World, node: usize) -> String {
    let body: Value = serde_json::from_str(LOGIN).unwrap();
    let server = world.nodes[node].server();
    let answer = server.request("POST", "/auth/login", None, Some(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["token"].as_str().unwrap().to_owned()
}

pub(crate) async fn signing_out_everywhere_ends_connections_on_all_nodes(broker: Broker) {
    let world = World::empty(broker, &[]).await;
    let token = world.nodes[0].server().register("bo").await;
    let mut others = Vec::new();
    for node in [1, 2, 1] {
        let other = login(&world, node).await;
        others.push(Person::connect(world.nodes[node].server(), &other).await);
    }
    let mut own = Person::connect(world.nodes[2].server(), &token).await;
    // New sessions are looked at soon, by the clock; that must not be what ends these.
    for other in &mut others {
        other.does("ping", json!({})).await;
    }
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let began = Instant::now();
    let ended = world.nodes[0].server().request("DELETE", "/auth/sessions", Some(&token), None);
    assert_eq!(ended.await.json()["ended"], 3);
    for other in &mut others {
        other.event("session.revoked").await;
        assert_eq!(other.closed().await, Some(4501));
    }
    let took = began.elapsed();
    assert!(took < BY_NEWS, "{took:?}");
    own.does("ping", json!({})).await;
}

pub(crate) async fn a_lost_sign_out_is_found_by_comparison(broker: Broker) {
    let world = World::empty(broker, &[]).await;
    let token = world.nodes[0].server().register("bo").await;
    let other = login(&world, 1).await;
    let mut other = Person::connect(world.nodes[1].server(), &other).await;
    let to_broker = world.nodes[1].to_broker.as_ref().unwrap();
    tokio::task::block_in_place(|| to_broker.cut());
    let ended = world.nodes[0].server().request("DELETE", "/auth/sessions", Some(&token), None);
    assert_eq!(ended.await.json()["ended"], 1);
    assert_eq!(other.closed().await, Some(4501));
}

pub(crate) async fn connections_of_a_user_are_counted_on_all_nodes(broker: Broker) {
    let world = World::empty(broker, &["limits.sessions_per_user=2"]).await;
    let token = world.nodes[0].token("ada").await;
    let first = Person::connect(world.nodes[0].server(), &token).await;
    let _second = Person::connect(world.nodes[1].server(), &token).await;
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    let third = async || handshake(world.nodes[2].server(), "/api/chat/ws", &headers).await;
    // A socket that is let in for a moment is closed without a greeting.
    let is_refused = async || match third().await {
        Ok(socket) => {
            let mut person =
                Person { socket, ready: Value::Null, waiting: Default::default(), next_id: 1 };
            match person.frame().await {
                Some(frame) => frame["type"] != "session.ready",
                None => true,
            }
        }
        Err(_) => true,
    };
    assert!(is_refused().await, "two are all");
    drop(first);
    soon("room for another", async { while is_refused().await {} }).await;
}

pub(crate) async fn sends_are_counted_on_all_nodes(broker: Broker) {
    let settings = ["limits.messages_per_second=1", "limits.message_burst=10"];
    let world = World::empty(broker, &settings).await;
    let (ada, bo) = (world.nodes[0].token("ada").await, world.nodes[0].token("bo").await);
    let _bo = Person::connect(world.nodes[0].server(), &bo).await;
    let mut devices = Vec::new();
    for node in &world.nodes {
        devices.push(Person::connect(node.server(), &ada).await);
    }
    let place = devices[0].opens("bo").await;
    let began = Instant::now();
    let sending = devices.iter_mut().map(async |device| {
        let mut acknowledged = 0;
        for n in 0..10 {
            let payload = json!({"conversationId": place, "content": n.to_string()});
            match device.tries("message.send", payload).await {
                Ok(_) => acknowledged += 1,
                Err(error) => {
                    assert_eq!(error["code"], "rate_limited");
                    assert!(error["retryAfterMs"].as_u64().is_some_and(|ms| ms > 0));
                }
            }
        }
        acknowledged
    });
    let acknowledged: u64 = join_all(sending).await.into_iter().sum();
    let most = 10 + began.elapsed().as_secs() + 1;
    assert!((10..=most).contains(&acknowledged), "{acknowledged}, at most {most}");
}

pub(crate) async fn readiness_tells_of_a_broker_that_stands_still(broker: Broker) {
    let world = World::empty(broker, &[]).await;
    let is = async |status: u16| {
        for node in &world.nodes {
            soon("readiness", async {
                loop {
                    let answer = node.server().readiness().await;
                    if answer.status == status {
                        assert!(status == 200 || answer.body.contains("broker"), "{}", answer.body);
                        return;
                    }
                }
            })
            .await;
        }
    };
    is(200).await;
    for _ in 0..2 {
        tokio::task::block_in_place(|| world.broker.pause()).unwrap();
        is(503).await;
        tokio::task::block_in_place(|| world.broker.resume()).unwrap();
        is(200).await;
    }
}

pub(crate) async fn who_was_on_a_dead_node_goes_offline_once(broker: Broker) {
    let mut world = World::empty(broker, &[]).await;
    let tokens = join_all(["ada", "bo", "cy"].map(|user| world.nodes[0].token(user))).await;
    let mut ada = Person::connect(world.nodes[0].server(), &tokens[0]).await;
    let mut bo = Person::connect(world.nodes[1].server(), &tokens[1]).await;
    let _cy = Person::connect(world.nodes[2].server(), &tokens[2]).await;
    ada.opens("cy").await;
    bo.opens("cy").await;
    for watcher in [&mut ada, &mut bo] {
        let came = watcher.event("presence.changed").await;
        assert_eq!(
            (came["userId"].as_str(), came["status"].as_str()),
            (Some("cy"), Some("online"))
        );
    }
    world.nodes[2].kill().await;
    world.start_again(2).await;
    for watcher in [&mut ada, &mut bo] {
        let gone = watcher.event("presence.changed").await;
        assert_eq!(
            (gone["userId"].as_str(), gone["status"].as_str()),
            (Some("cy"), Some("offline"))
        );
    }
    // Nobody brings cy back, or tells of it again, until all leases were renewed a few times.
    tokio::time::sleep(Duration::from_secs(4)).await;
    for watcher in [&mut ada, &mut bo] {
        watcher.does("ping", json!({})).await;
        let told: Vec<_> = watcher.waiting.drain(..).collect();
        assert!(told.iter().all(|frame| frame["type"] != "presence.changed"), "{told:?}");
        assert_eq!(watcher.does("presence.list", json!({})).await["presence"], json!([]));
    }
    let mut late = Person::connect(world.nodes[2].server(), &tokens[0]).await;
    assert_eq!(late.ready["presence"], json!([]));
    let _cy = Person::connect(world.nodes[1].server(), &tokens[2]).await;
    assert_eq!(late.event("presence.changed").await["status"], "online");
}
