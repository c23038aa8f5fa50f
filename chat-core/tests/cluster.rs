//! Several nodes as one: what they tell each other, what they count together, and what is left of
//! that when what they share is away.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::auth::Identity;
use chat_core::broker::{
    Broker, BrokerError, BrokerMessage, MemoryBroker, MemoryBrokerNode, Received, Subject,
};
use chat_core::limit::{LimitKey, Quota, SharedLimits, Verdict};
use chat_core::presence::{Entered, Lease, PresenceStore};
use chat_core::proto::{CloseCode, LoginSessionId, NodeId, PresenceStatus, User, UserId};
use chat_core::store::{
    AccountStore, EnsureUser, LoginSession, LoginSessionStore, NewAccount, NewUser, StoreError,
    UserStore,
};
use chat_core::testing::{FaultyStore, StoreFault};
use chat_core::{
    Chat, ChatConfig, Check, MemoryLimits, MemoryPresence, MemoryStore, NotReady, Outgoing,
    PresenceScope,
};
use common::{Device, unlimited};
use jiff::Timestamp;
use serde_json::json;

/// What a node asked of its broker.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Published(Subject, usize),
    Subscribed(Subject),
    Unsubscribed(Subject),
}

/// A broker that notes what it is asked, and can be away.
#[derive(Debug)]
struct Recorder {
    node: MemoryBrokerNode,
    asked: Mutex<Vec<Asked>>,
    away: AtomicBool,
    hangs: AtomicBool,
    lossless: bool,
}

impl Recorder {
    fn note(&self, asked: impl IntoIterator<Item = Asked>) -> Result<(), BrokerError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(BrokerError::new("away"));
        }
        self.asked.lock().unwrap().extend(asked);
        Ok(())
    }

    /// What was asked since the last look.
    fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn published(&self) -> Vec<(Subject, usize)> {
        let published = |asked| match asked {
            Asked::Published(subject, size) => Some((subject, size)),
            _ => None,
        };
        self.take().into_iter().filter_map(published).collect()
    }
}

#[async_trait]
impl Broker for Recorder {
    async fn publish(&self, messages: Vec<BrokerMessage>) -> Result<(), BrokerError> {
        self.note(messages.iter().map(|m| Asked::Published(m.subject.clone(), m.payload.len())))?;
        self.node.publish(messages).await
    }
    async fn subscribe(&self, subjects: Vec<Subject>) -> Result<(), BrokerError> {
        self.note(subjects.iter().cloned().map(Asked::Subscribed))?;
        self.node.subscribe(subjects).await
    }
    async fn unsubscribe(&self, subjects: Vec<Subject>) -> Result<(), BrokerError> {
        self.note(subjects.iter().cloned().map(Asked::Unsubscribed))?;
        self.node.unsubscribe(subjects).await
    }
    async fn receive(&self) -> Result<Received, BrokerError> {
        self.node.receive().await
    }
    async fn probe(&self) -> Result<(), BrokerError> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.note([])
    }
    async fn close(&self) {
        self.node.close().await;
    }
    fn is_lossless(&self) -> bool {
        self.lossless
    }
}

/// What several nodes share.
struct Cluster {
    store: Arc<MemoryStore>,
    broker: MemoryBroker,
    presence: Arc<Forgetful>,
    limits: Arc<Flaky>,
    config: ChatConfig,
    lossless: bool,
    /// How long it takes to note when a user was last seen.
    noting_takes: Duration,
}

struct Node {
    chat: Chat,
    broker: Arc<Recorder>,
}

impl Cluster {
    fn new(config: ChatConfig) -> Self {
        Self {
            store: Arc::default(),
            broker: MemoryBroker::new(),
            presence: Arc::default(),
            limits: Arc::default(),
            config,
            lossless: false,
            noting_takes: Duration::ZERO,
        }
    }

    fn node(&self) -> Node {
        let broker = Arc::new(Recorder {
            node: self.broker.node(),
            asked: Mutex::default(),
            away: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
            lossless: self.lossless,
        });
        let chat = Chat::builder(self.store.clone())
            .broker(broker.clone())
            .presence(self.presence.clone())
            .limits(self.limits.clone())
            .logins(self.store.clone())
            .config(self.config.clone())
            .users(Arc::new(SlowToNote { store: self.store.clone(), takes: self.noting_takes }))
            .build();
        Node { chat, broker }
    }
}

/// Presence that can be forgotten, as by a broker that starts again, or be away.
#[derive(Debug, Default)]
struct Forgetful {
    kept: Mutex<MemoryPresence>,
    away: AtomicBool,
    /// Whether nobody learns who enters, or what comes of it that somebody enters or leaves.
    hangs: AtomicBool,
    unanswered: AtomicBool,
    /// Whether it does not say who is online.
    blind: AtomicBool,
}

impl Forgetful {
    fn answer<T>(&self, answer: T) -> Result<T, StoreError> {
        match self.unanswered.load(Ordering::SeqCst) {
            true => Err(StoreError::unavailable("the answer is lost")),
            false => Ok(answer),
        }
    }

    fn forget(&self) {
        *self.kept.lock().unwrap() = MemoryPresence::new();
    }

    fn kept(&self) -> Result<MemoryPresence, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("away"));
        }
        Ok(self.kept.lock().unwrap().clone())
    }
}

#[async_trait]
impl PresenceStore for Forgetful {
    async fn enter(
        &self,
        node: NodeId,
        user: &UserId,
        devices: u32,
        shown: PresenceStatus,
        lease: Duration,
    ) -> Result<Entered, StoreError> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.answer(self.kept()?.enter(node, user, devices, shown, lease).await?)
    }
    async fn leave(&self, node: NodeId, user: &UserId) -> Result<bool, StoreError> {
        self.answer(self.kept()?.leave(node, user).await?)
    }
    async fn renew(&self, node: NodeId, lease: Duration) -> Result<Lease, StoreError> {
        self.kept()?.renew(node, lease).await
    }
    async fn expire(&self) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        self.kept()?.expire().await
    }
    async fn set_status(&self, user: &UserId, status: PresenceStatus) -> Result<(), StoreError> {
        self.kept()?.set_status(user, status).await
    }
    async fn statuses(
        &self,
        users: &[UserId],
    ) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        if self.blind.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("blind"));
        }
        self.kept()?.statuses(users).await
    }
    async fn online(&self, limit: usize) -> Result<Vec<(UserId, PresenceStatus)>, StoreError> {
        self.kept()?.online(limit).await
    }
}

/// A store that takes its time to note when a user was last seen.
#[derive(Debug)]
struct SlowToNote {
    store: Arc<MemoryStore>,
    takes: Duration,
}

#[async_trait]
impl UserStore for SlowToNote {
    async fn ensure_users(&self, users: Vec<NewUser>) -> Result<Vec<EnsureUser>, StoreError> {
        self.store.ensure_users(users).await
    }
    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        self.store.user(id).await
    }
    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        self.store.users(ids).await
    }
    async fn user_by_name(&self, key: &str) -> Result<Option<User>, StoreError> {
        self.store.user_by_name(key).await
    }
    async fn search_users(&self, prefix: &str, limit: usize) -> Result<Vec<User>, StoreError> {
        self.store.search_users(prefix, limit).await
    }
    async fn record_last_seen(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
        passes(self.takes).await;
        self.store.record_last_seen(id, at).await
    }
    async fn choose_presence(&self, id: &UserId, status: PresenceStatus) -> Result<(), StoreError> {
        self.store.choose_presence(id, status).await
    }
}

/// Limits that can be away.
#[derive(Debug, Default)]
struct Flaky {
    kept: MemoryLimits,
    away: AtomicBool,
}

#[async_trait]
impl SharedLimits for Flaky {
    async fn count(&self, key: &LimitKey, quota: &Quota) -> Result<Verdict, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("away"));
        }
        self.kept.count(key, quota).await
    }
}

/// Lets time pass, where time is paused.
async fn passes(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

/// How a device was told that a user is shown, in order.
async fn told_of(device: &mut Device, user: &str) -> Vec<String> {
    // From one node to another takes a moment.
    passes(Duration::from_millis(100)).await;
    let mut frames = Vec::new();
    loop {
        // What waits comes in portions.
        let some = device.everything().await;
        if some.is_empty() {
            break;
        }
        frames.extend(some);
    }
    frames
        .into_iter()
        .filter(|f| f["type"] == "presence.changed" && f["payload"]["userId"] == user)
        .map(|f| f["payload"]["status"].as_str().unwrap().to_owned())
        .collect()
}

async fn close_code(device: &mut Device) -> CloseCode {
    loop {
        match tokio::time::timeout(common::PATIENCE, device.session.next()).await.unwrap() {
            Outgoing::Frames(_) => {}
            Outgoing::Close(code) => return code,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_hears_nothing_of_conversations_of_others() {
    let cluster = Cluster::new(unlimited());
    let (a, b) = (cluster.node(), cluster.node());
    let _cy = Device::attach(&b.chat, "cy").await;
    let (mut ada, mut bo) =
        (Device::attach(&a.chat, "ada").await, Device::attach(&a.chat, "bo").await);
    for n in 0..100 {
        let room = ada.creates(&format!("room{n}")).await;
        bo.joins(room).await;
        ada.sends(room, "hello").await;
    }
    ada.does("typing.start", json!({"conversationId": bo.opens("ada").await})).await;
    ada.everything().await;
    drop(bo);
    passes(Duration::from_secs(60)).await;
    assert!(told_of(&mut ada, "bo").await.contains(&"offline".to_owned()));
    assert!(a.chat.cluster_stats().broker.published > 100);
    assert_eq!(b.chat.cluster_stats().broker.received, 0);
}

#[tokio::test(start_paused = true)]
async fn presence_goes_to_those_who_may_see_it_once_each() {
    let cluster = Cluster::new(unlimited());
    let (a, b) = (cluster.node(), cluster.node());
    let mut ada = Device::attach(&a.chat, "ada").await;
    let mut bo = Device::attach(&b.chat, "bo").await;
    let mut stranger = Device::attach(&b.chat, "stranger").await;
    // Together in many conversations.
    ada.opens("bo").await;
    for n in 0..5 {
        let room = ada.creates(&format!("room{n}")).await;
        bo.joins(room).await;
    }
    told_of(&mut bo, "ada").await;
    a.broker.take();
    ada.does("presence.set", json!({"status": "away"})).await;
    assert_eq!(told_of(&mut bo, "ada").await, ["away"]);
    assert!(told_of(&mut stranger, "ada").await.is_empty());
    let published = a.broker.published();
    assert_eq!(published.len(), 1, "{published:?}");
    assert!(matches!(published[0].0, Subject::Conversation(_)), "{published:?}");
}

#[tokio::test(start_paused = true)]
async fn where_everyone_sees_everyone_all_nodes_hear_of_presence() {
    let cluster =
        Cluster::new(ChatConfig { presence_scope: PresenceScope::Everyone, ..unlimited() });
    let (a, b) = (cluster.node(), cluster.node());
    let mut bo = Device::attach(&b.chat, "bo").await;
    let _ada = Device::attach(&a.chat, "ada").await;
    assert_eq!(told_of(&mut bo, "ada").await, ["online"]);
}

#[tokio::test(start_paused = true)]
async fn a_subject_is_let_go_of_a_second_after_its_last_device() {
    let cluster = Cluster::new(unlimited());
    let a = cluster.node();
    let mut ada = Device::attach(&a.chat, "ada").await;
    let room = ada.creates("general").await;
    ada.everything().await;
    let subjects = [Subject::Conversation(room), Subject::User("ada".parse().unwrap())];
    passes(Duration::from_millis(100)).await;
    a.broker.take();
    drop(ada);
    passes(Duration::from_millis(700)).await;
    assert_eq!(a.broker.take(), []);
    // Who is back in time is heard all the while.
    let ada = Device::attach(&a.chat, "ada").await;
    passes(Duration::from_secs(60)).await;
    assert!(a.broker.take().iter().all(|asked| matches!(asked, Asked::Published(..))));
    drop(ada);
    passes(Duration::from_secs(2)).await;
    let asked = a.broker.take();
    for subject in subjects.clone() {
        assert!(asked.contains(&Asked::Unsubscribed(subject)), "{asked:?}");
    }
    let _ada = Device::attach(&a.chat, "ada").await;
    let asked = a.broker.take();
    for subject in subjects {
        assert!(asked.contains(&Asked::Subscribed(subject)), "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_change_is_told_as_a_number_and_arrives_whole() {
    let cluster = Cluster::new(unlimited());
    let (a, b) = (cluster.node(), cluster.node());
    let (mut ada, mut bo) =
        (Device::attach(&a.chat, "ada").await, Device::attach(&b.chat, "bo").await);
    let room = ada.creates("general").await;
    bo.joins(room).await;
    ada.everything().await;
    a.broker.take();
    let large = "ä".repeat(4_000);
    for text in ["small", &large, "last"] {
        ada.sends(room, text).await;
    }
    for text in ["small", &large, "last"] {
        let message = bo.event("message.created").await;
        assert_eq!(message["message"]["content"], text);
    }
    let sizes: Vec<_> = a.broker.published().into_iter().map(|(_, size)| size).collect();
    assert_eq!(sizes.len(), 3);
    assert!(sizes.iter().all(|size| *size < 1_000), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lossless_broker_spares_the_comparison_by_the_clock() {
    for lossless in [false, true] {
        let mut cluster = Cluster::new(ChatConfig { reconcile_interval_ms: 1_000, ..unlimited() });
        cluster.lossless = lossless;
        let (a, b) = (cluster.node(), cluster.node());
        let (mut ada, mut bo) =
            (Device::attach(&a.chat, "ada").await, Device::attach(&b.chat, "bo").await);
        let room = ada.creates("general").await;
        bo.joins(room).await;
        bo.everything().await;
        a.broker.away.store(true, Ordering::SeqCst);
        ada.sends(room, "lost").await;
        passes(Duration::from_secs(60)).await;
        let told = bo.everything().await;
        let arrived = told.iter().any(|frame| frame["type"] == "message.created");
        assert_eq!(arrived, !lossless);
        a.broker.away.store(false, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_is_ready_when_its_broker_answers() {
    let cluster = Cluster::new(unlimited());
    let a = cluster.node();
    let deadline = Duration::from_secs(2);
    let ready = async || {
        passes(Duration::from_secs(2)).await;
        a.chat.ready(deadline).await
    };
    ready().await.unwrap();
    a.broker.away.store(true, Ordering::SeqCst);
    let error = ready().await.unwrap_err();
    assert!(matches!(error, NotReady::Failed { check: Check::Broker, .. }), "{error:?}");
    assert_eq!(error.reason(), "broker: the probe failed: the broker is not available: away");
    a.broker.away.store(false, Ordering::SeqCst);
    ready().await.unwrap();
    a.broker.hangs.store(true, Ordering::SeqCst);
    let error = ready().await.unwrap_err();
    assert!(matches!(error, NotReady::TimedOut { check: Check::Broker, .. }), "{error:?}");
    a.broker.hangs.store(false, Ordering::SeqCst);
    passes(Duration::from_secs(10)).await;
    ready().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn messages_are_counted_by_all_nodes_together() {
    let mut config = unlimited();
    (config.limits.messages_per_second, config.limits.message_burst) = (1, 10);
    let cluster = Cluster::new(config);
    let (a, b) = (cluster.node(), cluster.node());
    let mut here = Device::attach(&a.chat, "ada").await;
    let mut there = Device::attach(&b.chat, "ada").await;
    let room = here.creates("general").await;
    let mut outcomes = Vec::new();
    for n in 0..12 {
        let device = if n % 2 == 0 { &mut here } else { &mut there };
        outcomes.push(
            device.tries("message.send", json!({"conversationId": room, "content": "x"})).await,
        );
    }
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 10);
    let refused = outcomes.pop().unwrap().unwrap_err();
    assert_eq!(refused["code"], "rate_limited");
    assert!((1..=1_000).contains(&refused["retryAfterMs"].as_u64().unwrap()), "{refused}");
    assert_eq!(a.chat.cluster_stats().limit_fallbacks, 0);

    // While nothing is shared, each node keeps to the limit by itself.
    passes(Duration::from_secs(60)).await;
    cluster.limits.away.store(true, Ordering::SeqCst);
    for (node, device) in [(&a, &mut here), (&b, &mut there)] {
        let ids: Vec<_> = (0..12)
            .map(|_| device.begin("message.send", json!({"conversationId": room, "content": "x"})))
            .collect();
        let mut sent = 0;
        for id in ids {
            sent += usize::from(device.answer(id).await.is_ok());
        }
        assert_eq!(sent, 10);
        assert_eq!(node.chat.cluster_stats().limit_fallbacks, 10);
    }
    // It is counted together again by itself.
    cluster.limits.away.store(false, Ordering::SeqCst);
    passes(Duration::from_secs(60)).await;
    let mut sent = 0;
    for device in [&mut here, &mut there] {
        for _ in 0..8 {
            let payload = json!({"conversationId": room, "content": "x"});
            sent += usize::from(device.tries("message.send", payload).await.is_ok());
        }
    }
    assert_eq!(sent, 10);
}

#[tokio::test(start_paused = true)]
async fn sends_of_one_client_keep_their_order_while_they_are_counted() {
    let mut config = unlimited();
    (config.limits.messages_per_second, config.limits.message_burst) = (100, 100);
    let cluster = Cluster::new(config);
    let a = cluster.node();
    let mut ada = Device::attach(&a.chat, "ada").await;
    let room = ada.creates("general").await;
    let ids: Vec<_> = (0..50)
        .map(|n| {
            let payload = json!({"conversationId": room, "content": n.to_string()});
            ada.begin("message.send", payload)
        })
        .collect();
    for (n, id) in ids.into_iter().enumerate() {
        let sent = ada.answer(id).await.unwrap();
        assert_eq!(sent["message"]["seq"], n + 1);
        assert_eq!(sent["message"]["content"], n.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn connections_of_a_user_are_counted_on_all_nodes() {
    let mut config = unlimited();
    config.limits.sessions_per_user = 3;
    let cluster = Cluster::new(config);
    let (a, b) = (cluster.node(), cluster.node());
    let one = Device::attach(&a.chat, "ada").await;
    let two = Device::attach(&a.chat, "ada").await;
    let _three = Device::attach(&b.chat, "ada").await;
    let ada = Identity::of("ada".parse().unwrap());
    for node in [&a, &b] {
        let refused = node.chat.attach(&ada).await.unwrap_err();
        assert!(refused.to_string().contains("too many connections"), "{refused}");
    }
    // Who closes one may open another, wherever that was.
    drop(one);
    passes(Duration::from_millis(300)).await;
    let _four = Device::attach(&b.chat, "ada").await;
    assert!(a.chat.attach(&ada).await.is_err());
    drop(two);
    passes(Duration::from_millis(300)).await;
    let _five = Device::attach(&b.chat, "ada").await;
    // What is not known keeps nobody out.
    cluster.presence.away.store(true, Ordering::SeqCst);
    let _six = Device::attach(&a.chat, "ada").await;
}

async fn logged_in(store: &MemoryStore, user: &str) -> Identity {
    let id: UserId = user.parse().unwrap();
    let new = NewUser {
        id: id.clone(),
        username: chat_core::proto::Username::parse(user).unwrap(),
        display_name: chat_core::proto::DisplayName::parse(user).unwrap(),
        created_at: Timestamp::now(),
    };
    store.create_account(NewAccount { user: new, password_hash: "x".into() }).await.unwrap();
    let login = LoginSessionId::generate();
    let mut token_hash = [0; 32];
    token_hash[..16].copy_from_slice(login.as_uuid().as_bytes());
    let session = LoginSession {
        id: login,
        user_id: id.clone(),
        token_hash,
        user_agent: None,
        created_at: Timestamp::now(),
        last_used_at: Timestamp::now(),
        expires_at: Timestamp::MAX,
    };
    store.insert_login_session(session, 10).await.unwrap();
    Identity { login: Some(login), ..Identity::of(id) }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_ends_elsewhere_ends_its_sessions_even_if_nobody_is_told() {
    let cluster = Cluster::new(unlimited());
    let (a, b) = (cluster.node(), cluster.node());
    let ada = logged_in(&cluster.store, "ada").await;
    let (user, login) = (ada.claims.id.clone(), ada.login.unwrap());

    // It ends between the check of the credential and the first news.
    let mut early = Device::attach_as(&b.chat, &ada).await;
    cluster.store.end_login_session(&user, login).await.unwrap();
    let began = tokio::time::Instant::now();
    assert_eq!(close_code(&mut early).await, CloseCode::SessionRevoked);
    assert!(began.elapsed() <= Duration::from_secs(1), "{:?}", began.elapsed());

    // The news of it is lost.
    let bo = logged_in(&cluster.store, "bo").await;
    let mut late = Device::attach_as(&b.chat, &bo).await;
    passes(Duration::from_secs(60)).await;
    late.does("ping", json!({})).await;
    a.broker.away.store(true, Ordering::SeqCst);
    let (user, login) = (bo.claims.id.clone(), bo.login.unwrap());
    cluster.store.end_login_session(&user, login).await.unwrap();
    a.chat.end_logins(&user, &[login]);
    let began = tokio::time::Instant::now();
    assert_eq!(close_code(&mut late).await, CloseCode::SessionRevoked);
    assert!(began.elapsed() <= Duration::from_secs(11), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_new_login_is_looked_at_when_the_store_answers_again() {
    let memory = Arc::new(MemoryStore::new());
    let faulty = FaultyStore::new(memory.clone());
    let hour = Duration::from_secs(3_600);
    let chat = Chat::builder(memory.clone())
        .logins(Arc::new(faulty.accounts(memory.clone(), memory.clone())))
        .config(ChatConfig { reconcile_interval_ms: hour.as_millis() as u64, ..unlimited() })
        .build();
    let ada = logged_in(&memory, "ada").await;
    faulty.set(StoreFault::Away);
    let mut device = Device::attach_as(&chat, &ada).await;
    memory.end_login_session(&ada.claims.id, ada.login.unwrap()).await.unwrap();
    passes(Duration::from_secs(5)).await;
    faulty.set(StoreFault::None);
    let back = tokio::time::Instant::now();
    assert_eq!(close_code(&mut device).await, CloseCode::SessionRevoked);
    assert!(back.elapsed() <= Duration::from_secs(2), "{:?}", back.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_moves_from_a_node_that_ends_to_another_never_was_away() {
    let cluster = Cluster::new(unlimited());
    let (a, b) = (cluster.node(), cluster.node());
    let mut ada = Device::attach(&a.chat, "ada").await;
    let bo = Device::attach(&b.chat, "bo").await;
    let cy = Device::attach(&b.chat, "cy").await;
    ada.opens("bo").await;
    ada.opens("cy").await;
    ada.everything().await;
    b.chat.drain(Duration::from_secs(1));
    drop((bo, cy));
    b.chat.shutdown().await;
    passes(Duration::from_secs(5)).await;
    let _bo = Device::attach(&a.chat, "bo").await;
    passes(Duration::from_secs(60)).await;
    let told = ada.everything().await;
    let changes: Vec<_> = told.iter().filter(|f| f["type"] == "presence.changed").collect();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(
        (&changes[0]["payload"]["userId"], &changes[0]["payload"]["status"]),
        (&json!("cy"), &json!("offline"))
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_presence_store_forgets_is_recorded_anew() {
    let cluster = Cluster::new(unlimited());
    let (a, b) = (cluster.node(), cluster.node());
    let mut ada = Device::attach(&a.chat, "ada").await;
    let mut bo = Device::attach(&b.chat, "bo").await;
    let mut cy = Device::attach(&b.chat, "cy").await;
    ada.opens("bo").await;
    ada.opens("cy").await;
    cy.does("presence.set", json!({"status": "invisible"})).await;
    bo.does("presence.set", json!({"status": "away"})).await;
    passes(Duration::from_secs(30)).await;
    told_of(&mut ada, "bo").await;
    cluster.presence.forget();
    passes(Duration::from_secs(30)).await;
    let told = ada.everything().await;
    let told: Vec<_> = told
        .iter()
        .filter(|f| f["type"] == "presence.changed")
        .map(|f| {
            (f["payload"]["userId"].as_str().unwrap(), f["payload"]["status"].as_str().unwrap())
        })
        .collect();
    assert!(told.iter().all(|told| *told == ("bo", "away")), "nobody else: {told:?}");
    let seen = Device::attach(&a.chat, "ada").await.ready["presence"].take();
    assert_eq!(
        (seen[0]["userId"].as_str(), seen[0]["status"].as_str()),
        (Some("bo"), Some("away"))
    );
    assert_eq!(seen.as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_declared_gone_because_the_presence_store_was_away() {
    let cluster = Cluster::new(unlimited());
    let (a, b) = (cluster.node(), cluster.node());
    let mut ada = Device::attach(&a.chat, "ada").await;
    let _bo = Device::attach(&b.chat, "bo").await;
    ada.opens("bo").await;
    let laptop = Device::attach(&a.chat, "bo").await;
    passes(Duration::from_secs(30)).await;
    told_of(&mut ada, "bo").await;
    cluster.presence.away.store(true, Ordering::SeqCst);
    passes(Duration::from_secs(10)).await;
    drop(laptop);
    // All leases run out meanwhile.
    passes(Duration::from_secs(120)).await;
    cluster.presence.away.store(false, Ordering::SeqCst);
    passes(Duration::from_secs(120)).await;
    let told = told_of(&mut ada, "bo").await;
    assert!(!told.contains(&"offline".to_owned()), "{told:?}");
    // A node that is really dead is noticed all the same.
    let _cy = Device::attach(&b.chat, "cy").await;
    b.chat.abandon();
    passes(Duration::from_secs(60)).await;
    assert_eq!(told_of(&mut ada, "bo").await, ["offline"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_learns_that_an_invisible_user_died_with_a_node() {
    let cluster = Cluster::new(unlimited());
    let (a, b) = (cluster.node(), cluster.node());
    let mut ada = Device::attach(&a.chat, "ada").await;
    let mut bo = Device::attach(&b.chat, "bo").await;
    let _cy = Device::attach(&b.chat, "cy").await;
    ada.opens("bo").await;
    ada.opens("cy").await;
    bo.does("presence.set", json!({"status": "invisible"})).await;
    passes(Duration::from_secs(30)).await;
    ada.everything().await;
    b.chat.abandon();
    passes(Duration::from_secs(60)).await;
    let told = ada.everything().await;
    let told: Vec<_> = told
        .iter()
        .filter(|frame| frame["type"] == "presence.changed")
        .map(|frame| frame["payload"]["userId"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["cy"]);
}

#[tokio::test(start_paused = true)]
async fn many_sessions_are_let_go_of_in_stages() {
    let cluster = Cluster::new(unlimited());
    let a = cluster.node();
    let mut devices = Vec::new();
    for n in 0..300 {
        devices.push(Device::attach(&a.chat, &format!("user{n}")).await);
    }
    let began = tokio::time::Instant::now();
    a.chat.drain(Duration::from_secs(20));
    let within = b"\"reconnectAfterMs\":[0,12000]";
    let ending = devices.iter_mut().map(async |device| {
        let mut told = false;
        loop {
            match device.session.next().await {
                Outgoing::Frames(frames) => {
                    told |= frames.iter().any(|f| f.windows(within.len()).any(|w| w == within));
                }
                Outgoing::Close(code) => {
                    assert_eq!((code, told), (CloseCode::Draining, true));
                    return began.elapsed();
                }
            }
        }
    });
    let mut ended = futures::future::join_all(ending).await;
    ended.sort();
    assert!(ended[99] < Duration::from_secs(1), "{ended:?}");
    assert!(ended[299] > Duration::ZERO && ended[299] <= Duration::from_secs(10), "{ended:?}");
    assert!(a.chat.attach(&Identity::of("late".parse().unwrap())).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn people_come_and_write_at_once_while_what_nodes_share_hangs() {
    let cluster = Cluster::new(unlimited());
    let (a, b) = (cluster.node(), cluster.node());
    let mut ada = Device::attach(&a.chat, "ada").await;
    let room = ada.creates("general").await;
    cluster.presence.away.store(true, Ordering::SeqCst);
    a.broker.away.store(true, Ordering::SeqCst);
    // Found out once, by the renewal of the lease at the latest.
    passes(Duration::from_secs(30)).await;
    let began = tokio::time::Instant::now();
    let mut bo = Device::attach(&a.chat, "bo").await;
    bo.joins(room).await;
    ada.sends(room, "all the same").await;
    bo.sees("all the same").await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    // Once it is back, both nodes know of both.
    cluster.presence.away.store(false, Ordering::SeqCst);
    a.broker.away.store(false, Ordering::SeqCst);
    passes(Duration::from_secs(30)).await;
    let mut cy = Device::attach(&b.chat, "cy").await;
    cy.joins(room).await;
    passes(Duration::from_secs(1)).await;
    let seen = cy.does("presence.list", json!({})).await;
    assert_eq!(seen["presence"].as_array().map(Vec::len), Some(2), "{seen}");
    cy.sends(room, "from the other node").await;
    bo.sees("from the other node").await;
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_the_broker_is_away_is_heard_once_it_is_back() {
    for (lossless, reloads) in [(false, true), (true, false), (true, true)] {
        let mut cluster = Cluster::new(unlimited());
        cluster.lossless = lossless;
        let a = cluster.node();
        let mut ada = Device::attach(&a.chat, "ada").await;
        let room = ada.creates("general").await;
        drop(ada);
        passes(Duration::from_secs(60)).await;
        a.broker.away.store(true, Ordering::SeqCst);
        let mut ada = Device::attach(&a.chat, "ada").await;
        if reloads {
            drop(ada);
            ada = Device::attach(&a.chat, "ada").await;
        }
        a.broker.away.store(false, Ordering::SeqCst);
        a.broker.take();
        passes(Duration::from_secs(60)).await;
        let asked = a.broker.take();
        for subject in [Subject::Conversation(room), Subject::User("ada".parse().unwrap())] {
            assert!(asked.contains(&Asked::Subscribed(subject)), "{lossless} {reloads} {asked:?}");
        }
        drop(ada);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_device_asks_nothing_of_the_broker() {
    let cluster = Cluster::new(unlimited());
    let a = cluster.node();
    let mut ada = Device::attach(&a.chat, "ada").await;
    ada.creates("general").await;
    ada.everything().await;
    passes(Duration::from_secs(1)).await;
    a.broker.take();
    let _second = Device::attach(&a.chat, "ada").await;
    passes(Duration::from_secs(1)).await;
    assert_eq!(a.broker.take(), []);
}

/// Two who see each other, on a node each, the first of whom has just gone.
async fn a_pair(cluster: &Cluster) -> (Node, Node, Device) {
    let (a, b) = (cluster.node(), cluster.node());
    let mut ada = Device::attach(&a.chat, "ada").await;
    let mut bo = Device::attach(&b.chat, "bo").await;
    bo.opens("ada").await;
    ada.everything().await;
    drop(ada);
    passes(Duration::from_secs(60)).await;
    bo.everything().await;
    (a, b, bo)
}

#[tokio::test(start_paused = true)]
async fn who_gave_up_coming_and_comes_again_is_online() {
    let cluster = Cluster::new(unlimited());
    let (a, _b, mut bo) = a_pair(&cluster).await;
    let ada = Identity::of("ada".parse().unwrap());
    cluster.presence.hangs.store(true, Ordering::SeqCst);
    let gave_up = tokio::time::timeout(Duration::from_secs(1), a.chat.attach(&ada)).await;
    assert!(gave_up.is_err());
    cluster.presence.hangs.store(false, Ordering::SeqCst);
    let _ada = Device::attach(&a.chat, "ada").await;
    assert_eq!(told_of(&mut bo, "ada").await, ["online"]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_or_goes_is_told_of_even_if_the_answer_is_lost() {
    let cluster = Cluster::new(unlimited());
    let (a, _b, mut bo) = a_pair(&cluster).await;
    cluster.presence.unanswered.store(true, Ordering::SeqCst);
    let ada = Device::attach(&a.chat, "ada").await;
    cluster.presence.unanswered.store(false, Ordering::SeqCst);
    passes(Duration::from_secs(30)).await;
    assert_eq!(told_of(&mut bo, "ada").await, ["online"]);
    drop(ada);
    passes(Duration::from_secs(10)).await;
    cluster.presence.unanswered.store(true, Ordering::SeqCst);
    passes(Duration::from_secs(10)).await;
    cluster.presence.unanswered.store(false, Ordering::SeqCst);
    passes(Duration::from_secs(60)).await;
    assert_eq!(told_of(&mut bo, "ada").await, ["offline"]);
}

#[tokio::test(start_paused = true)]
async fn who_goes_while_it_is_unknown_how_they_are_shown_is_told_of_later() {
    let cluster = Cluster::new(unlimited());
    let (a, _b, mut bo) = a_pair(&cluster).await;
    let ada = Device::attach(&a.chat, "ada").await;
    assert_eq!(told_of(&mut bo, "ada").await, ["online"]);
    drop(ada);
    passes(Duration::from_secs(10)).await;
    cluster.presence.blind.store(true, Ordering::SeqCst);
    passes(Duration::from_secs(10)).await;
    cluster.presence.blind.store(false, Ordering::SeqCst);
    passes(Duration::from_secs(60)).await;
    assert_eq!(told_of(&mut bo, "ada").await, ["offline"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_keeps_its_lease_while_it_tells_of_all_who_were_on_a_dead_one() {
    let mut cluster = Cluster::new(unlimited());
    cluster.noting_takes = Duration::from_secs(2);
    let (a, b, c) = (cluster.node(), cluster.node(), cluster.node());
    let mut ada = Device::attach(&a.chat, "ada").await;
    let mut bo = Device::attach(&b.chat, "bo").await;
    ada.opens("bo").await;
    let mut there = Vec::new();
    for n in 0..50 {
        there.push(Device::attach(&c.chat, &format!("user{n}")).await);
    }
    told_of(&mut bo, "ada").await;
    told_of(&mut ada, "bo").await;
    c.chat.abandon();
    passes(Duration::from_secs(180)).await;
    assert_eq!(told_of(&mut bo, "ada").await, [""; 0]);
    assert_eq!(told_of(&mut ada, "bo").await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn who_is_invisible_stays_so_when_presence_is_forgotten_and_another_node_is_first() {
    let cluster = Cluster::new(unlimited());
    let (a, first) = (cluster.node(), cluster.node());
    let (b, last) = (cluster.node(), cluster.node());
    let mut ada = Device::attach(&a.chat, "ada").await;
    let _one = Device::attach(&first.chat, "cy").await;
    let mut two = Device::attach(&b.chat, "cy").await;
    let _three = Device::attach(&last.chat, "cy").await;
    ada.opens("cy").await;
    two.does("presence.set", json!({"status": "invisible"})).await;
    passes(Duration::from_secs(30)).await;
    told_of(&mut ada, "cy").await;
    cluster.presence.forget();
    passes(Duration::from_secs(30)).await;
    let told = told_of(&mut ada, "cy").await;
    assert!(told.last().is_none_or(|last| last == "offline"), "{told:?}");
    assert_eq!(Device::attach(&a.chat, "ada").await.ready["presence"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_alone_does_not_tell_who_was_invisible() {
    let chat = common::chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut cy = Device::attach(&chat, "cy").await;
    ada.opens("cy").await;
    cy.does("presence.set", json!({"status": "invisible"})).await;
    told_of(&mut ada, "cy").await;
    chat.shutdown().await;
    assert_eq!(told_of(&mut ada, "cy").await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_engine_does_not_wait_for_stages_when_everybody_has_gone() {
    let cluster = Cluster::new(unlimited());
    let a = cluster.node();
    let mut devices = Vec::new();
    for n in 0..1_500 {
        devices.push(Device::attach(&a.chat, &format!("user{n}")).await);
    }
    a.chat.drain(Duration::from_secs(60));
    drop(devices);
    let began = tokio::time::Instant::now();
    a.chat.shutdown().await;
    assert!(began.elapsed() <= Duration::from_secs(4), "{:?}", began.elapsed());
}
