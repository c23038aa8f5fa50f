//! What signals tell last is the truth, in whatever order their tellers come.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::proto::{ConversationId, UserId};
use chat_core::store::{CursorKind, InboxStore, StoreError};
use chat_core::testing::{Call, Faults, FaultyBroker, Watch, WatchedStore};
use chat_core::{Actor, Chat, ChatConfig, MemoryPresence, MemoryStore};
use common::{Device, unlimited};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Holds the next call of one method up, before the store is asked or before its answer is told.
#[derive(Debug, Default)]
struct HoldUp {
    next: Mutex<Option<(&'static str, bool)>>,
    held: Notify,
    go: Notify,
}

impl HoldUp {
    fn arm(&self, method: &'static str, is_asked: bool) {
        *self.next.lock().unwrap() = Some((method, is_asked));
    }

    async fn hold(&self, call: Call, is_asked: bool) {
        let is_next = self.next.lock().unwrap().take_if(|next| *next == (call.method, is_asked));
        if is_next.is_some() {
            self.held.notify_one();
            self.go.notified().await;
        }
    }
}

#[async_trait]
impl Watch for HoldUp {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        self.hold(call, false).await;
        Ok(())
    }

    async fn after(&self, call: Call) {
        self.hold(call, true).await;
    }
}

/// Lets time pass, where time is paused.
async fn passes(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

/// Everything that a device is told until nothing more comes.
async fn all(device: &mut Device) -> Vec<Value> {
    let mut frames = Vec::new();
    loop {
        passes(Duration::from_secs(2)).await;
        let some = device.everything().await;
        if some.is_empty() {
            return frames;
        }
        frames.extend(some);
    }
}

fn last<'a>(frames: &'a [Value], kind: &str) -> Option<&'a Value> {
    frames.iter().rfind(|frame| frame["type"] == kind).map(|frame| &frame["payload"])
}

/// What a client shows as unread by the rules of the protocol: for one conversation, from the number
/// with which it began.
fn shown_unread(frames: &[Value], me: &str, mut unread: u64) -> u64 {
    let mut through = 0;
    let (mut read, mut later) = (0, Vec::new());
    for frame in frames {
        let payload = &frame["payload"];
        if frame["type"] == "message.created" && payload["message"]["senderId"] != me {
            let seq = payload["message"]["seq"].as_u64().unwrap();
            if seq > through {
                unread += 1;
                later.push(seq);
            }
        } else if frame["type"] == "unread.changed" {
            let told = (payload["readSeq"].as_u64().unwrap(), payload["throughSeq"].as_u64());
            let told = (told.0, told.1.unwrap_or(u64::MAX));
            if told >= (read, through) {
                (read, through) = told;
                later.retain(|seq| *seq > through);
                unread = payload["unread"].as_u64().unwrap() + later.len() as u64;
            }
        }
    }
    unread
}

/// Two devices of bo, one of ada, and a direct conversation of both with six messages of ada's.
struct Pair {
    store: Arc<MemoryStore>,
    hold: Arc<HoldUp>,
    chat: Chat,
    ada: Device,
    phone: Device,
    laptop: Device,
    place: ConversationId,
}

const SENT: u64 = 6;

impl Pair {
    async fn new() -> Self {
        let (store, hold) = (Arc::new(MemoryStore::new()), Arc::new(HoldUp::default()));
        let watched = WatchedStore::new(store.clone(), hold.clone());
        let chat = Chat::builder(Arc::new(watched)).config(unlimited()).uncached().build();
        let mut ada = Device::attach(&chat, "ada").await;
        let mut phone = Device::attach(&chat, "bo").await;
        let laptop = Device::attach(&chat, "bo").await;
        let place = ada.opens("bo").await;
        for n in 1..=SENT {
            ada.sends(place, &n.to_string()).await;
        }
        phone.sees(&SENT.to_string()).await;
        let mut pair = Self { store, hold, chat, ada, phone, laptop, place };
        for device in [&mut pair.ada, &mut pair.phone, &mut pair.laptop] {
            all(device).await;
        }
        pair
    }

    /// Begins to move bo's cursor.
    fn moves(&self, kind: CursorKind, place: ConversationId, seq: u64) -> JoinHandle<()> {
        let (chat, bo) = (self.chat.clone(), Actor::user("bo".parse().unwrap()));
        tokio::spawn(async move {
            match kind {
                CursorKind::Read => chat.mark_read(&bo, place, Some(seq)).await.unwrap(),
                CursorKind::Delivered => chat.mark_delivered(&bo, place, Some(seq)).await.unwrap(),
            };
        })
    }
}

/// The teller of the earlier of two reads is held up at each of its calls of the store, and tells last:
/// every device ends with what the store says.
#[tokio::test(start_paused = true)]
async fn of_two_reads_at_once_the_later_is_told_last() {
    for (method, is_asked) in
        [("unread_total", false), ("unread_total", true), ("conversation", true)]
    {
        let mut pair = Pair::new().await;
        pair.hold.arm(method, is_asked);
        let earlier = pair.moves(CursorKind::Read, pair.place, SENT - 2);
        pair.hold.held.notified().await;
        let later = pair.moves(CursorKind::Read, pair.place, SENT);
        passes(Duration::from_secs(1)).await;
        pair.hold.go.notify_one();
        earlier.await.unwrap();
        later.await.unwrap();

        let bo = "bo".parse().unwrap();
        let total = pair.store.unread_total(&bo).await.unwrap().unread;
        for device in [&mut pair.phone, &mut pair.laptop] {
            let told = all(device).await;
            let told = last(&told, "unread.changed").expect("told").clone();
            let told = ["readSeq", "unread", "totalUnread"].map(|name| told[name].as_u64());
            assert_eq!(told, [Some(SENT), Some(0), Some(total)], "held at {method} {is_asked}");
        }
        let told = all(&mut pair.ada).await;
        assert_eq!(
            last(&told, "receipt.read").unwrap()["seq"],
            SENT,
            "held at {method} {is_asked}"
        );
        pair.chat.abandon();
    }
}

/// The same of what is delivered.
#[tokio::test(start_paused = true)]
async fn of_two_deliveries_at_once_the_later_is_told_last() {
    let mut pair = Pair::new().await;
    pair.hold.arm("conversation", true);
    let earlier = pair.moves(CursorKind::Delivered, pair.place, SENT - 2);
    pair.hold.held.notified().await;
    pair.moves(CursorKind::Delivered, pair.place, SENT).await.unwrap();
    pair.hold.go.notify_one();
    earlier.await.unwrap();
    let told = all(&mut pair.ada).await;
    assert_eq!(last(&told, "receipt.delivered").unwrap()["seq"], SENT);
}

/// A total counts all conversations: of two that are read at once, the later total is told last.
#[tokio::test(start_paused = true)]
async fn of_two_totals_at_once_the_later_is_told_last() {
    let mut pair = Pair::new().await;
    let mut cleo = Device::attach(&pair.chat, "cleo").await;
    let other = cleo.opens("bo").await;
    cleo.sends(other, "hello").await;
    pair.hold.arm("unread_total", true);
    let earlier = pair.moves(CursorKind::Read, pair.place, SENT);
    pair.hold.held.notified().await;
    let later = pair.moves(CursorKind::Read, other, 1);
    passes(Duration::from_secs(1)).await;
    pair.hold.go.notify_one();
    earlier.await.unwrap();
    later.await.unwrap();
    for device in [&mut pair.phone, &mut pair.laptop] {
        let told = all(device).await;
        assert_eq!(last(&told, "unread.changed").unwrap()["totalUnread"], 0);
    }
}

/// A message comes between the count and the telling of it: the count says that it does not hold the
/// message, and is told again.
#[tokio::test(start_paused = true)]
async fn a_count_that_a_message_crosses_says_so_and_is_told_again() {
    for method in ["unread_total", "summary"] {
        let mut pair = Pair::new().await;
        pair.hold.arm(method, true);
        let reading = pair.moves(CursorKind::Read, pair.place, SENT);
        pair.hold.held.notified().await;
        pair.ada.sends(pair.place, "one more").await;
        let message = pair.laptop.frame().await;
        assert_eq!(message["type"], "message.created");
        pair.hold.go.notify_one();
        reading.await.unwrap();
        let mut told = vec![message];
        told.extend(all(&mut pair.laptop).await);
        assert_eq!(shown_unread(&told, "bo", SENT), 1, "by the protocol: {told:#?}");
        let first = told.iter().find(|frame| frame["type"] == "unread.changed").unwrap();
        assert_eq!(first["payload"]["throughSeq"], SENT);
        let end = last(&told, "unread.changed").unwrap();
        let end = ["readSeq", "throughSeq", "unread", "totalUnread"].map(|name| end[name].as_u64());
        assert_eq!(end, [SENT, SENT + 1, 1, 1].map(Some), "{told:#?}");
        pair.chat.abandon();
    }
}

/// Nodes over one store and a broker.
struct Nodes {
    store: Arc<MemoryStore>,
    broker: FaultyBroker,
    nodes: Vec<Chat>,
}

impl Nodes {
    fn new(seed: u64) -> Self {
        let (store, broker) = (Arc::new(MemoryStore::new()), FaultyBroker::new(Faults::NONE, seed));
        let presence = MemoryPresence::new();
        let config = ChatConfig { presence_grace_ms: 100, ..unlimited() };
        let node = |_| {
            Chat::builder(store.clone())
                .broker(Arc::new(broker.node()))
                .presence(Arc::new(presence.clone()))
                .config(config.clone())
                .build()
        };
        let nodes = (0..2).map(node).collect();
        Self { store, broker, nodes }
    }
}

/// A broker that lets later messages pass earlier ones, and no message is lost.
const REORDERS: Faults = Faults { lost: 0, repeated: 10, delayed: 45 };

/// On two nodes with a broker that reorders, every device ends with what the stores say: how far the
/// other has read and received, what is left, who is here and how, and who is typing.
#[tokio::test(start_paused = true)]
async fn a_broker_that_reorders_ends_no_state_in_the_past() {
    let mut behind: HashMap<&str, usize> = HashMap::new();
    for seed in 1..=20 {
        let cluster = Nodes::new(seed);
        let mut ada = [
            Device::attach(&cluster.nodes[0], "ada").await,
            Device::attach(&cluster.nodes[1], "ada").await,
        ];
        let mut bo = [
            Device::attach(&cluster.nodes[0], "bo").await,
            Device::attach(&cluster.nodes[1], "bo").await,
        ];
        let place = ada[0].opens("bo").await;
        for n in 1..=12 {
            ada[0].sends(place, &n.to_string()).await;
        }
        for device in &mut bo {
            device.sees("12").await;
        }
        cluster.broker.set_faults(REORDERS);
        for n in 1..=6 {
            let seq = json!({"conversationId": place, "seq": 2 * n});
            bo[0].begin("receipt.delivered", seq.clone());
            bo[0].begin("receipt.read", seq);
            bo[1].begin("receipt.read", json!({"conversationId": place, "seq": 2 * n - 1}));
            bo[0].begin("typing.start", json!({"conversationId": place}));
            bo[0].begin("typing.stop", json!({"conversationId": place}));
            let status = ["away", "online"][n % 2];
            bo[0].does("presence.set", json!({"status": status})).await;
        }
        passes(Duration::from_secs(4)).await;
        cluster.broker.set_faults(Faults::NONE);
        // What the broker holds back comes behind these.
        ada[0].sends(place, "end").await;
        ada[1].sends(place, "end").await;
        let id: UserId = "bo".parse().unwrap();
        let summary = cluster.store.summary(&id, place).await.unwrap().unwrap();
        let total = cluster.store.unread_total(&id).await.unwrap();
        for device in &mut ada {
            let told = all(device).await;
            let mut check = |kind: &'static str, told: Option<&Value>, expected: Value| {
                *behind.entry(kind).or_default() += usize::from(told != Some(&expected));
            };
            let told_of = |kind| last(&told, kind);
            let seq = |kind| told_of(kind).map(|payload| &payload["seq"]);
            check("receipt.read", seq("receipt.read"), json!(12));
            check("receipt.delivered", seq("receipt.delivered"), json!(12));
            let status = told_of("presence.changed").map(|payload| &payload["status"]);
            check("presence.changed", status, json!("away"));
            let typing = told.iter().rfind(|f| f["type"].as_str().unwrap().starts_with("typing"));
            check("typing", typing.map(|frame| &frame["type"]), json!("typing.stopped"));
        }
        for device in &mut bo {
            let told = all(device).await;
            let end = last(&told, "unread.changed").cloned().unwrap_or_default();
            let end = ["readSeq", "unread", "totalUnread"].map(|name| end[name].as_u64());
            let is_true = end[0] == Some(summary.read_seq)
                && shown_unread(&told, "bo", 12) == summary.unread
                && end[2].is_some_and(|end| end <= total.unread);
            *behind.entry("unread.changed").or_default() += usize::from(!is_true);
        }
        cluster.nodes.iter().for_each(Chat::abandon);
    }
    behind.retain(|_, count| *count > 0);
    assert_eq!(behind, HashMap::new(), "devices of 40 that ended in the past");
}

/// What an event says of somebody's presence, if it says something.
fn told_of(frames: &[Value], user: &str) -> Vec<String> {
    let told = frames.iter().filter(|frame| frame["type"] == "presence.changed");
    let told = told.filter(|frame| frame["payload"]["userId"] == user);
    told.map(|frame| frame["payload"]["status"].as_str().unwrap().to_owned()).collect()
}

fn is_listed(ready: &Value, user: &str) -> bool {
    ready["presence"].as_array().unwrap().iter().any(|entry| entry["userId"] == user)
}

/// Who chose to be invisible stays so over reconnects, restarts and on other nodes, and nobody is told
/// anything.
#[tokio::test(start_paused = true)]
async fn who_is_invisible_comes_back_invisible() {
    let cluster = Nodes::new(1);
    let mut ada = Device::attach(&cluster.nodes[0], "ada").await;
    let mut bo = Device::attach(&cluster.nodes[0], "bo").await;
    ada.opens("bo").await;
    all(&mut ada).await;
    bo.does("presence.set", json!({"status": "invisible"})).await;
    let gone = all(&mut ada).await;
    assert_eq!(told_of(&gone, "bo"), ["offline"]);
    assert!(
        last(&gone, "presence.changed").unwrap()["lastSeenAt"].is_string(),
        "as of one who goes"
    );
    drop(bo);
    // Again here, on the other node, and on one that starts anew.
    let restarted = Chat::builder(cluster.store.clone()).config(unlimited()).build();
    let mut cleo = Device::attach(&restarted, "ada").await;
    for node in [&cluster.nodes[0], &cluster.nodes[1], &restarted, &cluster.nodes[0]] {
        passes(Duration::from_secs(60)).await;
        let bo = Device::attach(node, "bo").await;
        for watcher in [&mut ada, &mut cleo] {
            assert_eq!(told_of(&all(watcher).await, "bo"), Vec::<String>::new());
        }
        for node in [&cluster.nodes[0], &cluster.nodes[1], &restarted] {
            assert!(!is_listed(&Device::attach(node, "ada").await.ready, "bo"));
        }
        drop(bo);
    }
    // Until another choice.
    passes(Duration::from_secs(60)).await;
    let mut bo = Device::attach(&cluster.nodes[1], "bo").await;
    bo.does("presence.set", json!({"status": "away"})).await;
    assert_eq!(told_of(&all(&mut ada).await, "bo"), ["away"]);
    drop(bo);
    assert_eq!(told_of(&all(&mut ada).await, "bo"), ["offline"]);
    passes(Duration::from_secs(60)).await;
    let _bo = Device::attach(&cluster.nodes[0], "bo").await;
    assert_eq!(told_of(&all(&mut ada).await, "bo"), ["away"]);
}

/// When a node dies that nobody survives, the next run says when those were last seen who were there,
/// to within a lease; of who was invisible, it says nothing.
#[tokio::test(start_paused = true)]
async fn who_was_on_a_node_that_died_was_last_seen_then() {
    let store = Arc::new(MemoryStore::new());
    let is_alone = [true, false];
    for alone in is_alone {
        let start = || {
            let builder = Chat::builder(store.clone()).config(unlimited());
            // A presence of its own: nothing of the run before is left there.
            if alone {
                return builder.build();
            }
            let broker = Arc::new(FaultyBroker::new(Faults::NONE, 1).node());
            builder.broker(broker).presence(Arc::new(MemoryPresence::new())).build()
        };
        let died = start();
        let mut ada = Device::attach(&died, "ada").await;
        let mut bo = Device::attach(&died, "bo").await;
        let place = ada.opens("bo").await;
        bo.does("presence.set", json!({"status": "invisible"})).await;
        passes(Duration::from_secs(2)).await;
        let hidden = store.summary(&ada_id(), place).await.unwrap().unwrap().peer.unwrap();
        died.abandon();
        std::mem::forget((ada, bo));

        let started = jiff::Timestamp::now();
        let next = start();
        passes(Duration::from_secs(90)).await;
        let mut cleo = Device::attach(&next, "cleo").await;
        let room = cleo.opens("ada").await;
        let summary = store.summary(&"cleo".parse().unwrap(), room).await.unwrap().unwrap();
        let seen = summary.peer.unwrap().last_seen_at.expect("seen");
        let apart = started.duration_since(seen).abs();
        assert!(apart < jiff::SignedDuration::from_secs(20), "{apart:?} alone: {alone}");
        let bo = store.summary(&ada_id(), place).await.unwrap().unwrap().peer.unwrap();
        assert_eq!(bo.last_seen_at, hidden.last_seen_at, "nobody learns of who is invisible");
        next.abandon();
    }
}

fn ada_id() -> UserId {
    "ada".parse().unwrap()
}

/// An idle node with many users writes one row in half a lease, and not one for each user.
#[tokio::test(start_paused = true)]
async fn who_is_here_costs_one_write_in_half_a_lease() {
    #[derive(Debug, Default)]
    struct Writes(Mutex<Vec<&'static str>>, AtomicBool);
    #[async_trait]
    impl Watch for Writes {
        async fn before(&self, call: Call) -> Result<(), StoreError> {
            if call.writes && self.1.load(Ordering::SeqCst) {
                self.0.lock().unwrap().push(call.method);
            }
            Ok(())
        }
    }
    let writes = Arc::new(Writes::default());
    let store = WatchedStore::new(Arc::new(MemoryStore::new()), writes.clone());
    let chat = Chat::builder(Arc::new(store)).config(unlimited()).build();
    let mut devices = Vec::new();
    for n in 0..50 {
        devices.push(Device::attach(&chat, &format!("user{n}")).await);
    }
    passes(Duration::from_secs(5)).await;
    writes.1.store(true, Ordering::SeqCst);
    passes(Duration::from_secs(200)).await;
    let writes = writes.0.lock().unwrap().clone();
    assert!(writes.iter().all(|method| *method == "record_alive"), "{writes:?}");
    assert!((15..=20).contains(&writes.len()), "{} in ten leases", writes.len());
}
