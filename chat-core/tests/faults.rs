//! Faults at the worst moment: each of these went wrong once.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::auth::Identity;
use chat_core::broker::{
    Broker, BrokerError, BrokerMessage, MemoryBroker, MemoryBrokerNode, Received, Subject,
};
use chat_core::presence::{Entered, Lease, PresenceStore};
use chat_core::proto::{
    ConversationId, CreateRoom, LoginSessionId, Member, MemberProfile, Message, MessageId,
    MessageSend, NodeId, PresenceStatus, User, UserId,
};
use chat_core::store::{
    AppendOutcome, Changes, Circle, EnsureUser, Head, JoinOutcome, LeaveOutcome, MemberStore,
    Membership, MessageDraft, MessageStore, NewUser, StoreError, UserStore,
};
use chat_core::{Actor, Chat, ChatConfig, MemoryPresence, MemoryStore};
use common::replica::Replica;
use common::{Device, unlimited};
use tokio::sync::Notify;

/// All that is there, for certain: also what a ping's answer overtakes.
async fn all(d: &mut Device) -> Vec<serde_json::Value> {
    let mut v = d.everything().await;
    while let Ok(chat_core::Outgoing::Frames(f)) =
        tokio::time::timeout(Duration::from_secs(1), d.session.next()).await
    {
        v.extend(f.iter().map(|f| serde_json::from_slice::<serde_json::Value>(f).unwrap()));
    }
    v.extend(d.waiting.drain(..));
    v
}
/// Lets time pass, where time is paused.
async fn passes(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

fn actor(u: &str) -> Actor {
    Actor::user(u.parse().unwrap())
}

/// A second device that attaches must not swallow the news for the first.
#[tokio::test(start_paused = true)]
async fn a_second_device_does_not_swallow_the_news_for_the_first() {
    let store = Arc::new(MemoryStore::new());
    let a = Chat::builder(store.clone()).config(unlimited()).build();
    let b = Chat::builder(store.clone()).config(unlimited()).build();
    let mut ada = Device::attach(&a, "ada").await;
    let mut phone = Device::attach(&b, "bo").await;
    let room = ada.creates("general").await;
    // bo joins through node a; node b does not hear of it (no broker).
    a.admit(&chat_core::auth::UserClaims::of("bo".parse().unwrap())).await.unwrap();
    a.join_room(
        &actor("bo"),
        &serde_json::from_value(serde_json::json!({"conversationId": room})).unwrap(),
    )
    .await
    .unwrap();
    let _laptop = Device::attach(&b, "bo").await;
    ada.sends(room, "hello").await;
    let frame = phone
        .wait_for(|f| f["type"] == "conversation.created" || f["type"] == "message.created")
        .await;
    assert_eq!(frame["type"], "conversation.created", "{frame}");
}

/// Stops one reading of memberships between the store and its caller.
#[derive(Debug)]
struct GatedMembers {
    inner: Arc<MemoryStore>,
    armed: AtomicBool,
    reached: Notify,
    go: Notify,
}
#[async_trait]
impl MemberStore for GatedMembers {
    async fn join(
        &self,
        c: ConversationId,
        u: &UserId,
        at: jiff::Timestamp,
        m: usize,
    ) -> Result<JoinOutcome, StoreError> {
        self.inner.join(c, u, at, m).await
    }
    async fn leave(
        &self,
        c: ConversationId,
        u: &UserId,
        last: bool,
    ) -> Result<LeaveOutcome, StoreError> {
        self.inner.leave(c, u, last).await
    }
    async fn member(&self, c: ConversationId, u: &UserId) -> Result<Option<Member>, StoreError> {
        self.inner.member(c, u).await
    }
    async fn members<'a>(
        &self,
        c: ConversationId,
        a: Option<&'a UserId>,
        l: usize,
    ) -> Result<Vec<MemberProfile>, StoreError> {
        self.inner.members(c, a, l).await
    }
    async fn memberships(&self, u: &[UserId]) -> Result<Vec<Membership>, StoreError> {
        self.inner.memberships(u).await
    }
    async fn circles(&self, u: &[UserId], m: usize, l: usize) -> Result<Vec<Circle>, StoreError> {
        let r = self.inner.circles(u, m, l).await;
        if self.armed.swap(false, Ordering::SeqCst) {
            self.reached.notify_one();
            self.go.notified().await;
        }
        r
    }
    async fn chosen(&self, u: &UserId) -> Result<usize, StoreError> {
        self.inner.chosen(u).await
    }
}

/// Who leaves while a device attaches is told nothing more.
#[tokio::test(start_paused = true)]
async fn who_leaves_while_a_device_attaches_is_told_nothing_more() {
    let store = Arc::new(MemoryStore::new());
    let gated = Arc::new(GatedMembers {
        inner: store.clone(),
        armed: false.into(),
        reached: Notify::new(),
        go: Notify::new(),
    });
    let chat = Chat::builder(store.clone()).members(gated.clone()).config(unlimited()).build();
    let mut ada = Device::attach(&chat, "ada").await;
    let room = ada.creates("general").await;
    {
        let mut bo = Device::attach(&chat, "bo").await;
        bo.joins(room).await;
    }
    gated.armed.store(true, Ordering::SeqCst);
    let c2 = chat.clone();
    let attaching = tokio::spawn(async move { Device::attach(&c2, "bo").await });
    gated.reached.notified().await;
    chat.leave_room(&actor("bo"), room, true).await.unwrap();
    passes(Duration::from_millis(200)).await;
    gated.go.notify_one();
    let mut bo = attaching.await.unwrap();
    // even after several reconciliations
    passes(Duration::from_secs(35)).await;
    ada.sends(room, "secret").await;
    passes(Duration::from_secs(1)).await;
    let told = all(&mut bo).await;
    assert!(told.iter().all(|f| f["type"] != "message.created"), "LEAK {told:?}");
}

/// A presence store that is away, slow, or stops at a chosen moment.
#[derive(Debug, Default)]
struct FlakyPresence {
    inner: MemoryPresence,
    down: AtomicBool,
    hang_enter: AtomicBool,
    hold_expire: AtomicBool,
    held: Notify,
    go: Notify,
    slow_renew_ms: AtomicUsize,
}
#[async_trait]
impl PresenceStore for FlakyPresence {
    async fn enter(
        &self,
        n: NodeId,
        u: &UserId,
        d: u32,
        s: PresenceStatus,
        l: Duration,
    ) -> Result<Entered, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("down"));
        }
        let r = self.inner.enter(n, u, d, s, l).await;
        if self.hang_enter.swap(false, Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        r
    }
    async fn leave(&self, n: NodeId, u: &UserId) -> Result<bool, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("down"));
        }
        self.inner.leave(n, u).await
    }
    async fn renew(&self, n: NodeId, l: Duration) -> Result<Lease, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("down"));
        }
        let ms = self.slow_renew_ms.load(Ordering::SeqCst);
        if ms > 0 {
            passes(Duration::from_millis(ms as u64)).await;
        }
        self.inner.renew(n, l).await
    }
    async fn expire(&self) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("down"));
        }
        let r = self.inner.expire().await?;
        if !r.is_empty() && self.hold_expire.swap(false, Ordering::SeqCst) {
            self.held.notify_one();
            self.go.notified().await;
        }
        Ok(r)
    }
    async fn set_status(&self, u: &UserId, s: PresenceStatus) -> Result<(), StoreError> {
        self.inner.set_status(u, s).await
    }
    async fn statuses(&self, u: &[UserId]) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        self.inner.statuses(u).await
    }
    async fn online(&self, l: usize) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        self.inner.online(l).await
    }
}

/// Users who went while the presence store was away go offline when it is back.
#[tokio::test(start_paused = true)]
async fn who_went_while_the_presence_store_was_away_goes_offline() {
    let p = Arc::new(FlakyPresence::default());
    let chat =
        Chat::builder(Arc::new(MemoryStore::new())).presence(p.clone()).config(unlimited()).build();
    let _ada = Device::attach(&chat, "ada").await;
    let bo = Device::attach(&chat, "bo").await;
    passes(Duration::from_secs(8)).await; // one renewal
    p.down.store(true, Ordering::SeqCst);
    drop(bo);
    passes(Duration::from_secs(37)).await;
    p.down.store(false, Ordering::SeqCst);
    passes(Duration::from_secs(300)).await;
    let s = p.inner.statuses(&["bo".parse().unwrap()]).await.unwrap();
    assert!(s.is_empty(), "online for ever: {s:?}");
}

/// Who comes back while a dead node's users are being declared gone ends up shown online.
#[tokio::test(start_paused = true)]
async fn who_comes_back_from_a_dead_node_stays_online() {
    let p = Arc::new(FlakyPresence::default());
    let store = Arc::new(MemoryStore::new());
    let a = Chat::builder(store.clone()).presence(p.clone()).config(unlimited()).build();
    let b = Chat::builder(store.clone()).presence(p.clone()).config(unlimited()).build();
    let mut ada = Device::attach(&a, "ada").await;
    let bo = Device::attach(&b, "bo").await;
    ada.opens("bo").await;
    p.hold_expire.store(true, Ordering::SeqCst);
    std::mem::forget(bo);
    b.abandon();
    p.held.notified().await;
    let _bo = Device::attach(&a, "bo").await;
    p.go.notify_one();
    passes(Duration::from_secs(2)).await;
    let told: Vec<_> = all(&mut ada)
        .await
        .into_iter()
        .filter(|f| f["type"] == "presence.changed")
        .map(|f| f["payload"]["status"].clone())
        .collect();
    assert_eq!(told.last().unwrap(), "online", "{told:?}");
}

/// A broker that takes a moment for each call.
#[derive(Debug)]
struct Remote(MemoryBrokerNode);
#[async_trait]
impl Broker for Remote {
    async fn publish(&self, m: Vec<BrokerMessage>) -> Result<(), BrokerError> {
        passes(Duration::from_millis(1)).await;
        self.0.publish(m).await
    }
    async fn subscribe(&self, s: Vec<Subject>) -> Result<(), BrokerError> {
        passes(Duration::from_millis(1)).await;
        self.0.subscribe(s).await
    }
    async fn unsubscribe(&self, s: Vec<Subject>) -> Result<(), BrokerError> {
        self.0.unsubscribe(s).await
    }
    async fn receive(&self) -> Result<Received, BrokerError> {
        self.0.receive().await
    }
    async fn probe(&self) -> Result<(), BrokerError> {
        self.0.probe().await
    }
    async fn close(&self) {
        self.0.close().await;
    }
}

/// A node that shuts down in order tells the other nodes that its users are gone.
#[tokio::test(start_paused = true)]
async fn a_node_that_shuts_down_tells_the_others_who_went() {
    let store = Arc::new(MemoryStore::new());
    let broker = MemoryBroker::new();
    let p = MemoryPresence::new();
    let mk = || {
        Chat::builder(store.clone())
            .broker(Arc::new(Remote(broker.node())))
            .presence(Arc::new(p.clone()))
            .config(unlimited())
            .build()
    };
    let (a, b) = (mk(), mk());
    let mut ada = Device::attach(&a, "ada").await;
    let bo = Device::attach(&b, "bo").await;
    ada.opens("bo").await;
    ada.everything().await;
    b.drain(Duration::from_secs(1));
    drop(bo);
    b.shutdown().await;
    passes(Duration::from_secs(60)).await;
    let told = all(&mut ada).await;
    assert!(
        told.iter().any(|f| f["type"] == "presence.changed" && f["payload"]["status"] == "offline"),
        "never told: {told:?}"
    );
}

/// Never answers.
#[derive(Debug)]
struct FrozenBroker;
#[async_trait]
impl Broker for FrozenBroker {
    async fn publish(&self, _: Vec<BrokerMessage>) -> Result<(), BrokerError> {
        std::future::pending().await
    }
    async fn subscribe(&self, _: Vec<Subject>) -> Result<(), BrokerError> {
        std::future::pending().await
    }
    async fn unsubscribe(&self, _: Vec<Subject>) -> Result<(), BrokerError> {
        std::future::pending().await
    }
    async fn receive(&self) -> Result<Received, BrokerError> {
        std::future::pending().await
    }
    async fn probe(&self) -> Result<(), BrokerError> {
        std::future::pending().await
    }
    async fn close(&self) {}
}

/// A frozen broker does not keep people out.
#[tokio::test(start_paused = true)]
async fn a_frozen_broker_keeps_nobody_out() {
    let chat = Chat::builder(Arc::new(MemoryStore::new()))
        .broker(Arc::new(FrozenBroker))
        .config(unlimited())
        .build();
    let ada = chat.admit(&chat_core::auth::UserClaims::of("ada".parse().unwrap())).await.unwrap();
    let room: CreateRoom = serde_json::from_str(r#"{"name": "general"}"#).unwrap();
    let room = chat.create_room(&Actor::user(ada.id.clone()), room).await.unwrap();
    for n in 0..100 {
        chat.send(
            &Actor::user(ada.id.clone()),
            MessageSend {
                conversation_id: room.conversation_id,
                client_id: None,
                content: n.to_string(),
            },
        )
        .await
        .unwrap();
    }
    let began = tokio::time::Instant::now();
    let _s = chat.attach(&Identity::of("ada".parse().unwrap())).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(6), "attach took {:?}", began.elapsed());
}

/// Fails the first subscriptions.
#[derive(Debug)]
struct FailFirst {
    inner: MemoryBrokerNode,
    left: AtomicUsize,
}
#[async_trait]
impl Broker for FailFirst {
    async fn publish(&self, m: Vec<BrokerMessage>) -> Result<(), BrokerError> {
        self.inner.publish(m).await
    }
    async fn subscribe(&self, s: Vec<Subject>) -> Result<(), BrokerError> {
        if self.left.load(Ordering::SeqCst) > 0 {
            self.left.fetch_sub(1, Ordering::SeqCst);
            return Err(BrokerError::new("away"));
        }
        self.inner.subscribe(s).await
    }
    async fn unsubscribe(&self, s: Vec<Subject>) -> Result<(), BrokerError> {
        self.inner.unsubscribe(s).await
    }
    async fn receive(&self) -> Result<Received, BrokerError> {
        self.inner.receive().await
    }
    async fn probe(&self) -> Result<(), BrokerError> {
        self.inner.probe().await
    }
    async fn close(&self) {
        self.inner.close().await;
    }
}

/// A subscription that failed is tried again.
#[tokio::test(start_paused = true)]
async fn a_subscription_that_failed_is_tried_again() {
    let store = Arc::new(MemoryStore::new());
    let broker = MemoryBroker::new();
    let p = MemoryPresence::new();
    let a = Chat::builder(store.clone())
        .broker(Arc::new(broker.node()))
        .presence(Arc::new(p.clone()))
        .config(unlimited())
        .build();
    let b = Chat::builder(store.clone())
        .broker(Arc::new(FailFirst { inner: broker.node(), left: 3.into() }))
        .presence(Arc::new(p.clone()))
        .config(unlimited())
        .build();
    let mut ada = Device::attach(&a, "ada").await;
    let place = {
        a.admit(&chat_core::auth::UserClaims::of("bo".parse().unwrap())).await.unwrap();
        ada.opens("bo").await
    };
    let mut bo = Device::attach(&b, "bo").await;
    // any number of minutes later
    passes(Duration::from_secs(120)).await;
    // and even after bo's second device attached
    let _bo2 = Device::attach(&b, "bo").await;
    all(&mut bo).await;
    ada.does("typing.start", serde_json::json!({"conversationId": place})).await;
    passes(Duration::from_millis(500)).await;
    let told = all(&mut bo).await;
    assert!(told.iter().any(|f| f["type"] == "typing.started"), "node is deaf for ever: {told:?}");
}

/// Somebody joins and leaves, again and again, while others talk; the replica fails on anything out
/// of order, twice, or missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joining_and_leaving_a_busy_room_keeps_the_order() {
    let chat = Chat::builder(Arc::new(MemoryStore::new())).config(unlimited()).build();
    let mut ada = Device::attach(&chat, "ada").await;
    let room = ada.creates("general").await;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let talking = tokio::spawn(async move {
        for n in 0.. {
            if stopped.load(Ordering::SeqCst) {
                break;
            }
            ada.sends(room, &n.to_string()).await;
            ada.sees(&n.to_string()).await;
        }
    });
    let mut bo = Replica::new("bo");
    bo.connect(&chat).await;
    for _ in 0..150 {
        bo.device.as_mut().unwrap().joins(room).await;
        bo.catch_up().await;
        let leave = serde_json::json!({"conversationId": room});
        bo.device.as_mut().unwrap().does("conversation.leave", leave).await;
        bo.forgets(room).await;
    }
    stop.store(true, Ordering::SeqCst);
    talking.await.unwrap();
}

/// Panics in the first append, once it is told to go on.
#[derive(Debug)]
struct Panics {
    inner: Arc<MemoryStore>,
    first: AtomicBool,
    go: Notify,
    reached: Notify,
}
#[async_trait]
impl MessageStore for Panics {
    async fn append(&self, d: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        if self.first.swap(false, Ordering::SeqCst) {
            self.reached.notify_one();
            self.go.notified().await;
            panic!("injected");
        }
        self.inner.append(d).await
    }
    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.inner.message(id).await
    }
    async fn messages(
        &self,
        c: ConversationId,
        s: std::ops::RangeInclusive<u64>,
    ) -> Result<Vec<Message>, StoreError> {
        self.inner.messages(c, s).await
    }
    async fn changes(&self, c: ConversationId, s: u64, l: usize) -> Result<Changes, StoreError> {
        self.inner.changes(c, s, l).await
    }
    async fn heads(&self, c: &[ConversationId]) -> Result<Vec<Head>, StoreError> {
        self.inner.heads(c).await
    }

    async fn visible_head(
        &self,
        c: ConversationId,
        user: &UserId,
    ) -> Result<Option<Head>, StoreError> {
        self.inner.visible_head(c, user).await
    }
}

/// Messages that wait behind a batch that panics are stored.
#[tokio::test(start_paused = true)]
async fn a_batch_that_panics_strands_nobody_else() {
    let store = Arc::new(MemoryStore::new());
    let m = Arc::new(Panics {
        inner: store.clone(),
        first: true.into(),
        go: Notify::new(),
        reached: Notify::new(),
    });
    let chat = Chat::builder(store.clone()).messages(m.clone()).config(unlimited()).build();
    let ada = chat.admit(&chat_core::auth::UserClaims::of("ada".parse().unwrap())).await.unwrap();
    let room = chat
        .create_room(
            &Actor::user(ada.id.clone()),
            serde_json::from_str(r#"{"name": "general"}"#).unwrap(),
        )
        .await
        .unwrap();
    let send = |t: &'static str| {
        let c = chat.clone();
        let id = room.conversation_id;
        tokio::spawn(async move {
            c.send(
                &actor("ada"),
                MessageSend { conversation_id: id, client_id: None, content: t.into() },
            )
            .await
        })
    };
    let one = send("one");
    m.reached.notified().await;
    let two = send("two");
    tokio::task::yield_now().await;
    m.go.notify_one();
    assert!(one.await.unwrap().is_err());
    tokio::time::timeout(Duration::from_secs(120), two)
        .await
        .expect("hangs for ever")
        .unwrap()
        .unwrap();
}

/// An arrival whose answer was lost still ends.
#[tokio::test(start_paused = true)]
async fn an_arrival_that_was_never_answered_still_ends() {
    let p = Arc::new(FlakyPresence::default());
    let chat =
        Chat::builder(Arc::new(MemoryStore::new())).presence(p.clone()).config(unlimited()).build();
    let _ada = Device::attach(&chat, "ada").await;
    p.hang_enter.store(true, Ordering::SeqCst);
    // the client gives up during the handshake
    let id = Identity::of("bo".parse().unwrap());
    assert!(tokio::time::timeout(Duration::from_secs(2), chat.attach(&id)).await.is_err());
    passes(Duration::from_secs(300)).await;
    let s = p.inner.statuses(&["bo".parse().unwrap()]).await.unwrap();
    assert!(s.is_empty(), "online for ever: {s:?}");
}

/// A renewal that arrives late is noticed.
#[tokio::test(start_paused = true)]
async fn a_lease_that_ran_out_before_its_renewal_is_noticed() {
    let p = Arc::new(FlakyPresence::default());
    let store = Arc::new(MemoryStore::new());
    let a = Chat::builder(store.clone())
        .presence(p.clone())
        .config(ChatConfig { presence_lease_ms: 6_000, ..unlimited() })
        .build();
    let _bo = Device::attach(&a, "bo").await;
    passes(Duration::from_millis(2_100)).await;
    p.slow_renew_ms.store(4_900, Ordering::SeqCst); // each renewal takes 4.9 s, under the 5 s timeout
    let other = p.inner.clone();
    let t = tokio::spawn(async move {
        loop {
            passes(Duration::from_millis(100)).await;
            let _ = other.expire().await;
        }
    });
    passes(Duration::from_secs(30)).await;
    p.slow_renew_ms.store(0, Ordering::SeqCst);
    passes(Duration::from_secs(30)).await;
    t.abort();
    let s = p.inner.statuses(&["bo".parse().unwrap()]).await.unwrap();
    assert_eq!(s.len(), 1, "attached but offline for ever");
}

/// Drain reaches a device that was attaching.
#[tokio::test(start_paused = true)]
async fn a_drain_reaches_a_device_that_is_attaching() {
    let store = Arc::new(MemoryStore::new());
    let gated = Arc::new(GatedMembers {
        inner: store.clone(),
        armed: true.into(),
        reached: Notify::new(),
        go: Notify::new(),
    });
    // drained before the device is in the hub: gate the user look-up
    #[derive(Debug)]
    struct SlowUsers(Arc<MemoryStore>);
    #[async_trait]
    impl UserStore for SlowUsers {
        async fn ensure_users(&self, u: Vec<NewUser>) -> Result<Vec<EnsureUser>, StoreError> {
            self.0.ensure_users(u).await
        }
        async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
            passes(Duration::from_millis(100)).await;
            self.0.user(id).await
        }
        async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
            self.0.users(ids).await
        }
        async fn user_by_name(&self, n: &str) -> Result<Option<User>, StoreError> {
            self.0.user_by_name(n).await
        }
        async fn search_users(&self, p: &str, l: usize) -> Result<Vec<User>, StoreError> {
            self.0.search_users(p, l).await
        }
        async fn record_last_seen(
            &self,
            u: &UserId,
            at: jiff::Timestamp,
        ) -> Result<(), StoreError> {
            self.0.record_last_seen(u, at).await
        }
        async fn choose_presence(&self, u: &UserId, s: PresenceStatus) -> Result<(), StoreError> {
            self.0.choose_presence(u, s).await
        }
    }
    drop(gated);
    let chat = Chat::builder(store.clone())
        .users(Arc::new(SlowUsers(store.clone())))
        .config(unlimited())
        .build();
    let c2 = chat.clone();
    let t = tokio::spawn(async move { c2.attach(&Identity::of("bo".parse().unwrap())).await });
    passes(Duration::from_millis(50)).await;
    chat.drain(Duration::from_secs(1));
    if let Ok(mut s) = t.await.unwrap() {
        let closed = tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                if let chat_core::Outgoing::Close(c) = s.next().await {
                    break c;
                }
            }
        })
        .await;
        assert!(closed.is_ok(), "a session lives on in a drained engine");
    }
}

/// A login that ends while its device attaches.
#[tokio::test(start_paused = true)]
async fn a_login_that_ends_while_its_device_attaches_ends_it() {
    let store = Arc::new(MemoryStore::new());
    let gated = Arc::new(GatedMembers {
        inner: store.clone(),
        armed: false.into(),
        reached: Notify::new(),
        go: Notify::new(),
    });
    let chat = Chat::builder(store.clone()).members(gated).config(unlimited()).build();
    let login = LoginSessionId::generate();
    let identity = Identity { login: Some(login), ..Identity::of("bo".parse().unwrap()) };
    // authenticated, then logged out, then attached: what the interleaving of two requests comes to
    chat.end_logins(&"bo".parse().unwrap(), &[login]);
    let Ok(mut s) = chat.attach(&identity).await else { return };
    let closed = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            if let chat_core::Outgoing::Close(c) = s.next().await {
                break c;
            }
        }
    })
    .await;
    assert!(closed.is_ok(), "a session of an ended login lives on");
}

/// Holds the first append back until it is told to go on, and notes the size of each batch.
#[derive(Debug)]
struct Batches {
    inner: Arc<MemoryStore>,
    sizes: std::sync::Mutex<Vec<usize>>,
    reached: Notify,
    go: Notify,
}

#[async_trait]
impl MessageStore for Batches {
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let first = {
            let mut sizes = self.sizes.lock().unwrap();
            sizes.push(drafts.len());
            sizes.len() == 1
        };
        if first {
            self.reached.notify_one();
            self.go.notified().await;
        }
        self.inner.append(drafts).await
    }
    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.inner.message(id).await
    }
    async fn messages(
        &self,
        c: ConversationId,
        s: std::ops::RangeInclusive<u64>,
    ) -> Result<Vec<Message>, StoreError> {
        self.inner.messages(c, s).await
    }
    async fn changes(&self, c: ConversationId, s: u64, l: usize) -> Result<Changes, StoreError> {
        self.inner.changes(c, s, l).await
    }
    async fn heads(&self, c: &[ConversationId]) -> Result<Vec<Head>, StoreError> {
        self.inner.heads(c).await
    }

    async fn visible_head(
        &self,
        c: ConversationId,
        user: &UserId,
    ) -> Result<Option<Head>, StoreError> {
        self.inner.visible_head(c, user).await
    }
}

/// What gathers while one batch is being stored is stored as one.
#[tokio::test(start_paused = true)]
async fn messages_that_wait_are_stored_together() {
    let store = Arc::new(MemoryStore::new());
    let batches = Arc::new(Batches {
        inner: store.clone(),
        sizes: std::sync::Mutex::default(),
        reached: Notify::new(),
        go: Notify::new(),
    });
    let chat = Chat::builder(store).messages(batches.clone()).config(unlimited()).build();
    let mut ada = Device::attach(&chat, "ada").await;
    let room = ada.creates("general").await;
    let send = |n: usize| serde_json::json!({"conversationId": room, "content": n.to_string()});
    let first = ada.begin("message.send", send(0));
    batches.reached.notified().await;
    let rest: Vec<_> = (1..=50).map(|n| ada.begin("message.send", send(n))).collect();
    batches.go.notify_one();
    for id in std::iter::once(first).chain(rest) {
        ada.answer(id).await.unwrap();
    }
    assert_eq!(*batches.sizes.lock().unwrap(), [1, 50]);
}
