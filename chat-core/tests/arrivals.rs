//! Many who come at one moment.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::auth::{Identity, UserClaims};
use chat_core::proto::{ConversationId, ConversationSummary, CreateRoom, MessageSend, UserId};
use chat_core::store::{
    InboxPosition, InboxStore, Known, Missed, Overview, Store, StoreError, UnreadTotal,
};
use chat_core::testing::{Call, Watch, WatchedStore};
use chat_core::{Actor, Chat, ChatConfig, ChatError, MemoryStore, Outgoing, Session};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Users, each with a room of the user's name.
async fn users(chat: &Chat, count: usize) -> Vec<UserId> {
    let mut users = Vec::new();
    for n in 0..count {
        let name = format!("user{n}");
        let id = chat.admit(&UserClaims::of(name.parse().unwrap())).await.unwrap().id;
        let room: CreateRoom = serde_json::from_value(json!({ "name": name })).unwrap();
        chat.create_room(&Actor::user(id.clone()), room).await.unwrap();
        users.push(id);
    }
    users
}

async fn attach_all(chat: &Chat, users: &[UserId]) -> Vec<Result<Session, ChatError>> {
    let attaching = users.iter().map(|user| {
        let (chat, identity) = (chat.clone(), Identity::of(user.clone()));
        tokio::spawn(async move { chat.attach(&identity).await })
    });
    join_all(attaching).await.into_iter().map(Result::unwrap).collect()
}

async fn next(session: &mut Session) -> Value {
    match session.next().await {
        Outgoing::Frames(frames) => serde_json::from_slice(&frames[0]).unwrap(),
        Outgoing::Close(code) => panic!("closed: {code:?}"),
    }
}

fn unlimited() -> ChatConfig {
    let mut config = ChatConfig::default();
    config.limits = config.limits.without_rates();
    config
}

/// Counts the calls that arrivals make, and holds them up once asked to.
#[derive(Debug, Default)]
struct Calls {
    counted: AtomicUsize,
    hold: AtomicBool,
}

#[async_trait]
impl Watch for Calls {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        if ["circles", "overviews", "missed"].contains(&call.method) {
            self.counted.fetch_add(1, Ordering::SeqCst);
            if self.hold.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_come_at_one_moment_are_read_together() {
    let calls = Arc::new(Calls::default());
    let store = WatchedStore::new(Arc::new(MemoryStore::new()), calls.clone());
    let chat = Chat::builder(Arc::new(store)).config(unlimited()).build();
    let users = users(&chat, 60).await;
    calls.counted.store(0, Ordering::SeqCst);
    let mut sessions = attach_all(&chat, &users).await;
    for (session, user) in sessions.iter_mut().zip(&users) {
        let session = session.as_mut().unwrap();
        let ready = next(session).await;
        let listed = ready["payload"]["conversations"].as_array().unwrap();
        assert_eq!(listed.len(), 1, "{user}");
        assert_eq!(listed[0]["name"], user.as_str(), "each is told of the own room");
        let cursors = json!({ "cursors": { listed[0]["conversationId"].as_str().unwrap(): 0 } });
        session
            .receive(&json!({ "id": 1, "type": "session.resume", "payload": cursors }).to_string());
    }
    let told = join_all(sessions.iter_mut().map(|session| next(session.as_mut().unwrap()))).await;
    for (told, user) in told.iter().zip(&users) {
        assert_eq!(told["payload"]["member"]["userId"], user.as_str(), "{told}");
    }
    let counted = calls.counted.load(Ordering::SeqCst);
    assert!(counted <= 3 * 60 / 4, "{counted} calls for 60 who came and resumed");
    chat.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_no_turn_is_asked_to_come_back() {
    let calls = Arc::new(Calls::default());
    let store = WatchedStore::new(Arc::new(MemoryStore::new()), calls.clone());
    let chat = Chat::builder(Arc::new(store)).config(unlimited()).build();
    let users = users(&chat, 80).await;
    calls.hold.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let attached = attach_all(&chat, &users).await;
    let busy = attached.iter().filter(|one| matches!(one, Err(ChatError::Busy))).count();
    assert_eq!(busy, 80 - 64);
    assert!(attached.iter().all(Result::is_err), "a store that hangs greets nobody");
    assert!(began.elapsed() < Duration::from_secs(30));
    calls.hold.store(false, Ordering::SeqCst);
    assert!(
        attach_all(&chat, &users).await.iter().all(Result::is_ok),
        "and all turns are given back"
    );
    chat.shutdown().await;
}

/// Cannot read the overview of one user.
#[derive(Debug)]
struct Damaged {
    store: Arc<MemoryStore>,
    user: UserId,
}

#[async_trait]
impl InboxStore for Damaged {
    async fn summaries(
        &self,
        user: &UserId,
        after: Option<InboxPosition>,
        limit: usize,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        self.store.summaries(user, after, limit).await
    }

    async fn summary(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<ConversationSummary>, StoreError> {
        self.store.summary(user, conversation).await
    }

    async fn unread_total(&self, user: &UserId) -> Result<UnreadTotal, StoreError> {
        self.store.unread_total(user).await
    }

    async fn overviews(&self, users: &[UserId], limit: usize) -> Result<Vec<Overview>, StoreError> {
        tokio::task::yield_now().await;
        if users.contains(&self.user) {
            return Err(StoreError::failed("a row cannot be read"));
        }
        self.store.overviews(users, limit).await
    }

    async fn missed(
        &self,
        questions: &[Known],
        max_gap: u64,
        limit: usize,
    ) -> Result<Vec<Vec<Missed>>, StoreError> {
        self.store.missed(questions, max_gap, limit).await
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_read_harms_nobody_else() {
    let store = Arc::new(MemoryStore::new());
    let user: UserId = "user7".parse().unwrap();
    let damaged = Arc::new(Damaged { store: Arc::clone(&store), user: user.clone() });
    let store: Arc<dyn Store> = store;
    let chat = Chat::builder(store).inbox(damaged).config(unlimited()).build();
    let users = users(&chat, 20).await;
    let attached = attach_all(&chat, &users).await;
    for (attached, attaching) in attached.iter().zip(&users) {
        assert_eq!(attached.is_err(), *attaching == user, "{attaching}");
    }
    chat.shutdown().await;
}

/// Stops a connect twice: when it knows the memberships, and before it asks how they stand.
#[derive(Debug, Default)]
struct Stops {
    armed: AtomicBool,
    reached: Notify,
    go: Notify,
}

impl Stops {
    async fn stop(&self) {
        if self.armed.load(Ordering::SeqCst) {
            self.reached.notify_one();
            self.go.notified().await;
        }
    }
}

#[async_trait]
impl Watch for Stops {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        if call.method == "overviews" {
            self.stop().await;
        }
        Ok(())
    }

    async fn after(&self, call: Call) {
        if call.method == "circles" {
            self.stop().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_arriving_is_not_told_what_came_after() {
    let stops = Arc::new(Stops::default());
    let store = WatchedStore::new(Arc::new(MemoryStore::new()), stops.clone());
    let chat = Chat::builder(Arc::new(store)).config(unlimited()).build();
    let users = users(&chat, 2).await;
    let [ada, bo] = [0, 1].map(|n| Actor::user(users[n].clone()));
    let room = chat.conversations(&ada, None, None).await.unwrap().data[0].conversation_id;
    let target = serde_json::from_value(json!({ "conversationId": room })).unwrap();
    chat.join_room(&bo, &target).await.unwrap();
    // Somebody is told of the room, so that what happens there passes at once.
    let mut others = attach_all(&chat, &users[..1]).await;
    let other = others[0].as_mut().unwrap();
    next(other).await;

    stops.armed.store(true, Ordering::SeqCst);
    let (arriving, identity) = (chat.clone(), Identity::of(users[1].clone()));
    let attaching = tokio::spawn(async move { arriving.attach(&identity).await });
    stops.reached.notified().await;
    chat.leave_room(&bo, room, true).await.unwrap();
    other.receive(r#"{"id":1,"type":"ping","payload":{}}"#);
    while next(other).await["type"] != "member.left" {}
    stops.go.notify_one();
    stops.reached.notified().await;
    let message = MessageSend { conversation_id: room, client_id: None, content: "hi".into() };
    chat.send(&ada, message).await.unwrap();
    while next(other).await["type"] != "message.created" {}
    stops.armed.store(false, Ordering::SeqCst);
    stops.go.notify_one();

    let mut session = attaching.await.unwrap().unwrap();
    session.receive(r#"{"id":1,"type":"ping","payload":{}}"#);
    while let Ok(frame) = tokio::time::timeout(Duration::from_secs(60), next(&mut session)).await {
        assert_ne!(frame["type"], "message.created", "{frame}");
    }
    chat.shutdown().await;
}
