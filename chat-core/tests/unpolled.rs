//! What a session has begun goes on, and gives back what it holds of the store, though its transport,
//! stuck in a write, asks for nothing.
#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_core::proto::PeerTarget;
use chat_core::store::StoreError;
use chat_core::testing::{Call, Watch, WatchedStore};
use chat_core::{Actor, Chat, MemoryStore, Outgoing};
use common::{Device, PATIENCE, unlimited};
use futures::FutureExt;
use serde_json::json;
use tokio::sync::watch;

/// Holds up calls of some methods, and counts those that are under way.
#[derive(Debug)]
struct Barrier {
    /// Held for a line.
    held: Mutex<HashSet<&'static str>>,
    /// Calls of those methods that have begun, and those that have ended.
    calls: watch::Sender<(usize, usize)>,
    open: watch::Sender<bool>,
}

impl Barrier {
    fn hold(&self, methods: &[&'static str]) {
        self.open.send_replace(false);
        self.calls.send_replace((0, 0));
        *self.held.lock().unwrap() = methods.iter().copied().collect();
    }

    fn holds(&self, call: Call) -> bool {
        self.held.lock().unwrap().contains(call.method)
    }

    fn begun(&self) -> usize {
        self.calls.borrow().0
    }

    /// Lets the calls go on that are held up, and waits for their end.
    async fn opens(&self) {
        self.open.send_replace(true);
        let mut calls = self.calls.subscribe();
        let ended = calls.wait_for(|(begun, ended)| begun == ended);
        let ended = tokio::time::timeout(PATIENCE, ended).await;
        let (begun, ended) = *ended.expect("every call ends by itself").unwrap();
        assert!(begun > 0 && begun == ended);
    }
}

#[async_trait]
impl Watch for Barrier {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        if self.holds(call) {
            self.calls.send_modify(|calls| calls.0 += 1);
            self.open.subscribe().wait_for(|open| *open).await.unwrap();
        }
        Ok(())
    }

    async fn after(&self, call: Call) {
        if self.holds(call) {
            self.calls.send_modify(|calls| calls.1 += 1);
        }
    }
}

fn chat() -> (Chat, Arc<Barrier>) {
    let barrier = Arc::new(Barrier {
        held: Mutex::default(),
        calls: watch::Sender::default(),
        open: watch::Sender::default(),
    });
    let store = WatchedStore::new(Arc::new(MemoryStore::new()), barrier.clone());
    (Chat::builder(Arc::new(store)).config(unlimited()).build(), barrier)
}

/// Has the session begin what it has to do, and lets go of it: as a transport that is stuck in a write
/// from then on.
async fn asks_once(device: &mut Device, barrier: &Barrier) {
    let asking = async {
        while barrier.begun() == 0 {
            assert!(device.session.next().now_or_never().is_none(), "the store is held up");
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("the store is asked");
}

#[tokio::test(start_paused = true)]
async fn a_command_ends_though_nobody_asks_for_its_answer() {
    let (chat, barrier) = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let _bo = Device::attach(&chat, "bo").await;
    let place = ada.opens("bo").await;
    ada.sends(place, "hello").await;
    ada.everything().await;
    for (kind, payload, method) in [
        ("history.load", json!({"conversationId": place}), "messages"),
        ("typing.start", json!({"conversationId": place}), "member"),
        ("conversation.create", json!({"name": "tea"}), "create_room"),
    ] {
        barrier.hold(&[method]);
        let id = ada.begin(kind, payload);
        asks_once(&mut ada, &barrier).await;
        barrier.opens().await;
        ada.answer(id).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_reads_on_though_nobody_asks_for_it() {
    let (chat, barrier) = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut bo = Device::attach(&chat, "bo").await;
    let _cy = Device::attach(&chat, "cy").await;
    let place = ada.opens("cy").await;
    for n in 0..100 {
        ada.sends(place, &n.to_string()).await;
    }
    // What appeared is announced.
    bo.everything().await;
    barrier.hold(&["members"]);
    let peer = PeerTarget { user_id: Some("bo".parse().unwrap()), username: None };
    chat.open_direct(&Actor::user("ada".parse().unwrap()), &peer).await.unwrap();
    asks_once(&mut bo, &barrier).await;
    barrier.opens().await;
    bo.event("conversation.created").await;
    // More was missed than is read at first.
    let mut back = Device::attach(&chat, "ada").await;
    barrier.hold(&["changes"]);
    let id = back.begin("session.resume", json!({"cursors": {place.to_string(): 0}}));
    let first = back.session.next().await;
    assert!(matches!(first, Outgoing::Frames(_)));
    asks_once(&mut back, &barrier).await;
    barrier.opens().await;
    back.answer(id).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_send_looks_up_is_read_though_nobody_asks_for_its_answer() {
    let (chat, barrier) = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let _bo = Device::attach(&chat, "bo").await;
    let place = ada.opens("bo").await;
    ada.everything().await;
    barrier.hold(&["conversation"]);
    let payload = json!({"conversationId": place, "content": "hello"});
    let id = ada.begin("message.send", payload);
    // The message itself comes back as an event.
    let waiting = async {
        while barrier.begun() == 0 {
            if let Some(Outgoing::Frames(frames)) = ada.session.next().now_or_never() {
                let frames = frames.iter().map(|frame| serde_json::from_slice(frame).unwrap());
                ada.waiting.extend(frames);
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the store is asked");
    barrier.opens().await;
    ada.answer(id).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_command_begins_when_the_answer_before_it_is_handed_on() {
    let (chat, barrier) = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let _bo = Device::attach(&chat, "bo").await;
    let place = ada.opens("bo").await;
    ada.sends(place, "hello").await;
    ada.everything().await;
    barrier.hold(&["messages"]);
    barrier.open.send_replace(true);
    for _ in 0..64 {
        ada.begin("history.load", json!({"conversationId": place}));
    }
    for answered in 1..=64 {
        let Outgoing::Frames(frames) = ada.session.next().await else { panic!("closed") };
        assert_eq!((frames.len(), barrier.begun()), (1, answered));
    }
}
