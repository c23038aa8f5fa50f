//! The store is away, hangs, is full, or loses its answers: what goes on, what fails and how fast,
//! and how everything comes back.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use chat_core::breaker::{Breaker, BreakerConfig};
use chat_core::broker::MemoryBroker;
use chat_core::proto::{ConversationId, MessageSend};
use chat_core::store::{MessageStore, UserStore};
use chat_core::testing::{FaultyStore, StoreFault};
use chat_core::{Actor, Chat, ChatConfig, MemoryPresence, MemoryStore, NotReady, PresenceScope};
use common::replica::Replica;
use common::{Device, unlimited};
use serde_json::{Value, json};
use tokio::time::Instant;

/// How long a call of the store may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The grace time, and a tick.
const GRACE: Duration = Duration::from_millis(15_200);

/// An engine over a store behind a breaker.
struct Place {
    memory: Arc<MemoryStore>,
    store: FaultyStore,
    breaker: Breaker,
    chat: Chat,
}

impl Place {
    fn new(config: ChatConfig) -> Self {
        let memory = Arc::new(MemoryStore::new());
        let store = FaultyStore::new(memory.clone());
        let breaker = Breaker::new(BreakerConfig::default());
        let guarded = Arc::new(breaker.guard(Arc::new(store.clone())));
        let chat = Chat::builder(guarded).config(config).build();
        Self { memory, store, breaker, chat }
    }

    async fn attach(&self, user: &str) -> Device {
        Device::attach(&self.chat, user).await
    }

    /// Lets the store fail until reads and writes are refused without a try.
    async fn fails(&self, fault: StoreFault, device: &mut Device, place: ConversationId) {
        self.store.set(fault);
        let nobody = Actor::user("nobody".parse().unwrap());
        for _ in 0..20 {
            let (began, calls) = (Instant::now(), self.store.calls());
            // At once, so that neither waits while the other is to be tried again.
            let page = json!({"conversationId": place, "limit": 1});
            let page = serde_json::from_value(page).unwrap();
            let reading = self.chat.history(&nobody, &page);
            let message = json!({"conversationId": place, "content": "lost"});
            let writing = self.chat.send(&nobody, serde_json::from_value(message).unwrap());
            let (read, written) = tokio::join!(reading, writing);
            assert!(read.is_err() && written.is_err());
            if (began.elapsed(), self.store.calls()) == (Duration::ZERO, calls) {
                history(device, place).await.unwrap_err();
                send(device, place, "lost", None).await.unwrap_err();
                assert!(!self.breaker.state().is_closed());
                return;
            }
        }
        panic!("the store is asked again and again");
    }
}

async fn send(
    device: &mut Device,
    place: ConversationId,
    text: &str,
    client_id: Option<&str>,
) -> Result<Value, Value> {
    let payload = json!({"conversationId": place, "content": text, "clientId": client_id});
    device.tries("message.send", payload).await
}

async fn history(device: &mut Device, place: ConversationId) -> Result<Value, Value> {
    device.tries("history.load", json!({"conversationId": place})).await
}

/// Sends a message as a client does: again with the same client id, when it was told to, until it
/// is stored.
async fn sends_at_last(
    device: &mut Device,
    place: ConversationId,
    text: &str,
    client_id: &str,
) -> Value {
    for _ in 0..100 {
        match send(device, place, text, Some(client_id)).await {
            Ok(reply) => return reply,
            Err(error) => {
                assert_eq!(
                    (&error["code"], &error["retryable"]),
                    (&json!("unavailable"), &json!(true))
                );
                passes(Duration::from_millis(error["retryAfterMs"].as_u64().unwrap())).await;
            }
        }
    }
    panic!("never stored");
}

/// Lets time pass, where time is paused.
async fn passes(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

/// How many changes of presence of a user a device is told, and the last.
async fn presence_of(device: &mut Device, user: &str) -> (usize, Value) {
    let frames = device.everything().await;
    let mut told: Vec<_> = frames
        .into_iter()
        .filter(|f| f["type"] == "presence.changed" && f["payload"]["userId"] == user)
        .map(|mut f| f["payload"]["status"].take())
        .collect();
    (told.len(), told.pop().unwrap_or_default())
}

fn seqs(frames: &[Value]) -> Vec<u64> {
    let messages = frames.iter().filter(|f| f["type"] == "message.created");
    messages.map(|f| f["payload"]["message"]["seq"].as_u64().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn typing_goes_on_while_the_store_is_away() {
    for fault in [StoreFault::Away, StoreFault::Hanging] {
        let place = Place::new(unlimited());
        let (mut ada, mut bo) = (place.attach("ada").await, place.attach("bo").await);
        let mut cy = place.attach("cy").await;
        let talk = ada.opens("bo").await;
        bo.event("conversation.created").await;
        ada.everything().await;
        place.store.set(fault);
        // From the first moment on, and for good.
        for _ in 0..20 {
            let began = Instant::now();
            ada.does("typing.start", json!({"conversationId": talk})).await;
            assert!(began.elapsed() <= Duration::from_millis(500), "{:?}", began.elapsed());
            bo.event("typing.started").await;
            ada.does("typing.stop", json!({"conversationId": talk})).await;
            bo.event("typing.stopped").await;
        }
        // But nobody gets in that way.
        let refused = cy.tries("typing.start", json!({"conversationId": talk})).await.unwrap_err();
        assert_eq!(refused["code"], "unavailable");
        assert!(refused["retryAfterMs"].as_u64().unwrap() > 0);
        assert!(bo.everything().await.iter().all(|f| f["type"] != "typing.started"));
    }
}

#[tokio::test(start_paused = true)]
async fn presence_goes_on_while_the_store_is_away() {
    for scope in [PresenceScope::Shared, PresenceScope::Everyone] {
        for fault in [StoreFault::Away, StoreFault::Hanging] {
            let place = Place::new(ChatConfig { presence_scope: scope, ..unlimited() });
            let (mut ada, mut bo) = (place.attach("ada").await, place.attach("bo").await);
            let tab = place.attach("bo").await;
            let mut cy = place.attach("cy").await;
            ada.opens("bo").await;
            for device in [&mut ada, &mut bo, &mut cy] {
                device.everything().await;
            }
            place.store.set(fault);
            let began = Instant::now();
            bo.does("presence.set", json!({"status": "away"})).await;
            assert!(began.elapsed() <= TIMEOUT, "{:?}", began.elapsed());
            assert_eq!(presence_of(&mut ada, "bo").await, (1, "away".into()));
            // Of two tabs one is enough.
            drop(tab);
            passes(GRACE).await;
            assert_eq!(presence_of(&mut ada, "bo").await.0, 0);
            let here = ada.does("presence.list", json!({})).await;
            let listed = here["presence"].as_array().unwrap();
            assert!(listed.iter().any(|entry| entry["userId"] == "bo"), "{listed:?}");
            drop(bo);
            passes(GRACE + TIMEOUT).await;
            assert_eq!(presence_of(&mut ada, "bo").await, (1, "offline".into()));
            let everyone = scope == PresenceScope::Everyone;
            assert_eq!(presence_of(&mut cy, "bo").await.0 > 0, everyone, "no stranger is told");
            // When it is back, it is told what it missed.
            let bo = "bo".parse().unwrap();
            assert_eq!(place.memory.user(&bo).await.unwrap().unwrap().last_seen_at, None);
            place.store.set(StoreFault::None);
            passes(Duration::from_secs(10)).await;
            assert!(place.memory.user(&bo).await.unwrap().unwrap().last_seen_at.is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn many_who_go_at_once_do_not_wait_for_each_other() {
    let place = Place::new(unlimited());
    let mut ada = place.attach("ada").await;
    let room = ada.creates("general").await;
    let mut others = Vec::new();
    for n in 0..40 {
        let mut other = place.attach(&format!("user{n}")).await;
        other.joins(room).await;
        others.push(other);
    }
    ada.everything().await;
    place.store.set(StoreFault::Hanging);
    drop(others);
    passes(GRACE + TIMEOUT).await;
    let told = ada.everything().await;
    let gone = told.iter().filter(|f| f["payload"]["status"] == "offline").count();
    assert_eq!(gone, 40);
}

#[tokio::test(start_paused = true)]
async fn what_needs_the_store_fails_fast_and_sessions_live_on() {
    for fault in [StoreFault::Away, StoreFault::Hanging] {
        let place = Place::new(unlimited());
        let (mut ada, mut bo) = (place.attach("ada").await, place.attach("bo").await);
        let room = ada.creates("general").await;
        bo.joins(room).await;
        ada.sends(room, "before").await;
        bo.sees("before").await;
        place.fails(fault, &mut ada, room).await;
        let calls = place.store.calls();
        let began = Instant::now();
        for (command, payload) in [
            ("message.send", json!({"conversationId": room, "content": "x"})),
            ("history.load", json!({"conversationId": room})),
            ("conversation.join", json!({"conversationId": room})),
            ("conversation.create", json!({"name": "other"})),
            ("conversation.open", json!({"userId": "bo"})),
            ("conversation.list", json!({})),
            ("receipt.read", json!({"conversationId": room})),
            ("session.resume", json!({"cursors": {room.to_string(): 1}})),
        ] {
            let error = bo.tries(command, payload).await.unwrap_err();
            assert_eq!(error["code"], "unavailable", "{command}: {error}");
            let after = error["retryAfterMs"].as_u64().unwrap();
            // As the breaker said: its first pause, where it has not tried again yet.
            let longest = if fault == StoreFault::Away { 500 } else { 5_000 };
            assert!((1..=longest).contains(&after), "{command}: {error}");
            assert!(!error["message"].as_str().unwrap().contains("refused"), "no causes: {error}");
        }
        assert!(
            place.chat.attach(&chat_core::auth::Identity::of("cy".parse().unwrap())).await.is_err()
        );
        assert_eq!((began.elapsed(), place.store.calls()), (Duration::ZERO, calls));
        bo.does("ping", json!({})).await;
        // An hour later it is back, and so is everything.
        passes(Duration::from_secs(3_600)).await;
        place.store.set(StoreFault::None);
        let cursors = json!({"cursors": {room.to_string(): 2}});
        for _ in 0..100 {
            match bo.tries("session.resume", cursors.clone()).await {
                Ok(reply) => {
                    assert_eq!(reply["replayed"], 1);
                    break;
                }
                Err(error) => {
                    passes(Duration::from_millis(error["retryAfterMs"].as_u64().unwrap())).await;
                }
            }
        }
        let sent = sends_at_last(&mut ada, room, "after", "1").await;
        assert_eq!((&sent["repeated"], &sent["message"]["seq"]), (&json!(false), &json!(2)));
        bo.sees("after").await;
        assert!(place.breaker.state().is_closed());
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_one_timeout_to_send() {
    let place = Place::new(unlimited());
    let mut ada = place.attach("ada").await;
    let room = ada.creates("general").await;
    place.store.set(StoreFault::Hanging);
    let sending = (0..300).map(async |n: u32| {
        passes(Duration::from_millis(100) * n).await;
        let began = Instant::now();
        let message =
            MessageSend { conversation_id: room, client_id: None, content: n.to_string() };
        let error = place.chat.send(&Actor::user("ada".parse().unwrap()), message).await;
        assert!(error.unwrap_err().retry_after().is_some());
        began.elapsed()
    });
    let waited = futures::future::join_all(sending).await;
    assert!(waited.iter().all(|waited| *waited <= TIMEOUT), "{waited:?}");
    // From the first timeout on, only those wait who find out how things are, and who come at the
    // same moment.
    let long = waited[50..].iter().filter(|waited| **waited > Duration::from_millis(500));
    assert!(long.count() < 10, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_stored_unheard_is_stored_and_told_once() {
    let place = Place::new(unlimited());
    let mut ada = place.attach("ada").await;
    let mut bo = place.attach("bo").await;
    let room = ada.creates("general").await;
    bo.joins(room).await;
    ada.everything().await;
    bo.everything().await;
    place.store.set_writes(StoreFault::Unheard);
    for (n, text) in ["one", "two", "three"].into_iter().enumerate() {
        let error = send(&mut ada, room, text, Some(&n.to_string())).await.unwrap_err();
        assert_eq!(error["code"], "unavailable");
    }
    // One of them is never sent again: it is found by comparison with the store.
    place.store.set(StoreFault::None);
    for (n, text) in ["one", "two"].into_iter().enumerate() {
        let reply = sends_at_last(&mut ada, room, text, &n.to_string()).await;
        let message = &reply["message"];
        assert_eq!((&reply["repeated"], &message["seq"]), (&json!(true), &json!(n + 1)));
    }
    ada.sends(room, "four").await;
    for device in [&mut ada, &mut bo] {
        device.sees("four").await;
        passes(Duration::from_secs(11)).await;
    }
    let history = history(&mut bo, room).await.unwrap();
    let texts: Vec<_> =
        history["data"].as_array().unwrap().iter().map(|m| m["content"].clone()).collect();
    assert_eq!(texts, ["one", "two", "three", "four"]);
    assert_eq!(place.memory.heads(&[room]).await.unwrap()[0].last_seq, 4);
}

#[tokio::test(start_paused = true)]
async fn each_change_is_told_once_and_in_order_through_many_outages() {
    let place = Place::new(ChatConfig { reconcile_interval_ms: 1_000, ..unlimited() });
    let mut ada = place.attach("ada").await;
    let room = ada.creates("general").await;
    let mut bo = Replica::new("bo");
    bo.connect(&place.chat).await;
    bo.device.as_mut().unwrap().joins(room).await;
    let faults = [StoreFault::Unheard, StoreFault::Away, StoreFault::Hanging, StoreFault::Full];
    let mut sent = 0;
    for fault in faults.into_iter().cycle().take(20) {
        place.store.set(fault);
        // In one go, as a client does that does not wait for answers.
        let ids: Vec<_> = (sent..sent + 10)
            .map(|n: i32| {
                let payload =
                    json!({"conversationId": room, "content": n.to_string(), "clientId": n.to_string()});
                ada.begin("message.send", payload)
            })
            .collect();
        passes(Duration::from_secs(7)).await;
        place.store.set(StoreFault::None);
        for (n, id) in (sent..).zip(ids) {
            if ada.answer(id).await.is_err() {
                sends_at_last(&mut ada, room, &n.to_string(), &n.to_string()).await;
            }
        }
        sent += 10;
        let head = place.memory.heads(&[room]).await.unwrap()[0];
        assert_eq!(head.last_seq, u64::try_from(sent).unwrap(), "nothing lost or doubled");
        bo.reaches(room, head.change_seq).await;
    }
    bo.catch_up().await;
    bo.equals(&place.memory).await;
}

#[tokio::test(start_paused = true)]
async fn what_another_node_stored_meanwhile_is_delivered_when_the_store_is_back() {
    let place = Place::new(unlimited());
    // The other node still reaches the store, and nothing tells this one of what it does.
    let other = Chat::builder(place.memory.clone()).config(unlimited()).build();
    let mut ada = Device::attach(&other, "ada").await;
    let room = ada.creates("general").await;
    let mut bo = place.attach("bo").await;
    bo.joins(room).await;
    place.fails(StoreFault::Hanging, &mut bo, room).await;
    for n in 0..100 {
        ada.sends(room, &n.to_string()).await;
    }
    passes(Duration::from_secs(120)).await;
    assert!(seqs(&bo.everything().await).is_empty());
    place.store.set(StoreFault::None);
    let mut told = Vec::new();
    while told.len() < 100 {
        told.extend(seqs(&[bo.frame().await]));
    }
    assert_eq!(told, (1..=100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_appears_in_that_moment_waits_and_keeps_nobody_else_waiting() {
    for fault in [StoreFault::Away, StoreFault::Hanging] {
        let place = Place::new(unlimited());
        let mut ada = place.attach("ada").await;
        let mut cy = place.attach("cy").await;
        let mut bo = Replica::new("bo");
        bo.connect(&place.chat).await;
        let talk = ada.opens("bo").await;
        bo.reaches(talk, 2).await;
        // Opened, and stored, but bo's device has yet to be told.
        let other = cy.opens("bo").await;
        cy.sends(other, "hello").await;
        place.fails(fault, &mut cy, other).await;
        ada.does("typing.start", json!({"conversationId": talk})).await;
        let device = bo.device.as_mut().unwrap();
        device.event("typing.started").await;
        device.does("ping", json!({})).await;
        passes(Duration::from_secs(600)).await;
        place.store.set(StoreFault::None);
        bo.device.as_mut().unwrap().does("ping", json!({})).await;
        let sent = sends_at_last(&mut cy, other, "again", "1").await;
        bo.reaches(other, sent["message"]["changeSeq"].as_u64().unwrap()).await;
        bo.catch_up().await;
        bo.equals(&place.memory).await;
        assert_eq!(bo.places[&other].messages.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn users_of_other_nodes_are_told_too() {
    let memory = Arc::new(MemoryStore::new());
    let store = FaultyStore::new(memory);
    let (broker, presence) = (MemoryBroker::new(), MemoryPresence::new());
    let node = || {
        let breaker = Breaker::new(BreakerConfig::default());
        Chat::builder(Arc::new(breaker.guard(Arc::new(store.clone()))))
            .broker(Arc::new(broker.node()))
            .presence(Arc::new(presence.clone()))
            .config(unlimited())
            .build()
    };
    let (a, b) = (node(), node());
    let (mut ada, mut cy) = (Device::attach(&a, "ada").await, Device::attach(&a, "cy").await);
    let mut bo = Device::attach(&b, "bo").await;
    ada.opens("bo").await;
    bo.event("conversation.created").await;
    ada.everything().await;
    store.set(StoreFault::Away);
    bo.does("presence.set", json!({"status": "away"})).await;
    passes(Duration::from_millis(100)).await;
    assert_eq!(presence_of(&mut ada, "bo").await, (1, "away".into()));
    // A node that dies takes what it knew with it: those who ought to know are told when the
    // store can say again who they are.
    std::mem::forget(bo);
    b.abandon();
    passes(Duration::from_secs(60)).await;
    store.set(StoreFault::None);
    passes(Duration::from_secs(10)).await;
    assert_eq!(presence_of(&mut ada, "bo").await, (1, "offline".into()));
    assert_eq!(presence_of(&mut cy, "bo").await.0, 0, "not a stranger");
}

#[tokio::test(start_paused = true)]
async fn a_full_store_takes_no_writes_and_is_read_on() {
    let place = Place::new(unlimited());
    let mut ada = place.attach("ada").await;
    let mut bo = place.attach("bo").await;
    let room = ada.creates("general").await;
    bo.joins(room).await;
    ada.sends(room, "before").await;
    place.store.set(StoreFault::Full);
    for n in 0..50 {
        let error = send(&mut ada, room, "x", Some(&n.to_string())).await.unwrap_err();
        assert_eq!(
            (&error["code"], &error["retryAfterMs"]),
            (&json!("unavailable"), &json!(30_000))
        );
        assert!(error["message"].as_str().unwrap().contains("no room"), "{error}");
        let page = history(&mut bo, room).await.unwrap();
        assert_eq!(page["data"].as_array().unwrap().len(), 1);
    }
    assert!(place.breaker.state().is_closed());
    let red = place.chat.ready(TIMEOUT).await.unwrap_err().reason();
    assert!(red.contains("full") && red.contains("no space left"), "{red}");
    place.store.set(StoreFault::None);
    assert_eq!(ada.sends(room, "after").await["seq"], 2);
    bo.sees("after").await;
}

#[tokio::test(start_paused = true)]
async fn readiness_says_why_not_and_recovers() {
    let place = Place::new(unlimited());
    place.chat.ready(TIMEOUT).await.unwrap();
    place.store.set(StoreFault::Away);
    passes(Duration::from_secs(1)).await;
    let red = place.chat.ready(TIMEOUT).await.unwrap_err();
    assert!(matches!(red, NotReady::Failed { .. }));
    let why = "store: the probe failed: the store is not available: connection refused";
    assert_eq!(red.reason(), why);
    // It is what makes an idle node recover.
    let mut ada = Actor::user("ada".parse().unwrap());
    for _ in 0..5 {
        ada.session_id = None;
        place.chat.unread(&ada).await.unwrap_err();
    }
    assert!(!place.breaker.state().is_closed());
    place.store.set(StoreFault::None);
    passes(Duration::from_secs(1)).await;
    place.chat.ready(TIMEOUT).await.unwrap();
    assert!(place.breaker.state().is_closed());

    place.store.set(StoreFault::Hanging);
    passes(Duration::from_secs(1)).await;
    let began = Instant::now();
    let red = place.chat.ready(Duration::from_secs(2)).await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert_eq!(red.reason(), "store: no answer to the probe after 2000 ms");
    place.store.set(StoreFault::None);
    place.chat.ready(TIMEOUT).await.unwrap();

    place.chat.drain(Duration::from_secs(1));
    let calls = place.store.calls();
    assert!(matches!(place.chat.ready(TIMEOUT).await, Err(NotReady::Draining)));
    assert_eq!(place.store.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_often_for_readiness_makes_the_store_write_once_a_second() {
    let place = Place::new(unlimited());
    // The cache is warmed once, and it is recorded who is here: next in half a lease.
    passes(Duration::from_secs(2)).await;
    let ask = || {
        let chat = place.chat.clone();
        tokio::spawn(async move { chat.ready(TIMEOUT).await.is_ok() })
    };
    place.store.set(StoreFault::Hanging);
    let calls = place.store.calls();
    let asking: Vec<_> = (0..100).map(|_| ask()).collect();
    passes(Duration::from_millis(100)).await;
    assert_eq!(place.store.calls() - calls, 1, "all wait for one");
    place.store.set(StoreFault::None);
    for answer in asking {
        assert!(answer.await.unwrap());
    }
    for _ in 0..100 {
        assert!(ask().await.unwrap());
        passes(Duration::from_millis(9)).await;
    }
    assert_eq!(place.store.calls() - calls, 1, "an answer holds for a second");
    passes(Duration::from_millis(200)).await;
    assert!(ask().await.unwrap());
    assert_eq!(place.store.calls() - calls, 2);
    // Who waits no longer does not stop the probe for the others.
    place.store.set(StoreFault::Away);
    passes(Duration::from_secs(1)).await;
    let _ = tokio::time::timeout(Duration::ZERO, place.chat.ready(TIMEOUT)).await;
    assert!(!ask().await.unwrap());
    assert_eq!(place.store.calls() - calls, 3);
}
