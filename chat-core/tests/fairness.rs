//! What one user can cost the others: every operation has a budget, and a user's own operations wait
//! for each other rather than for anybody else's.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::auth::{Identity, UserClaims};
use chat_core::proto::{Class, Command, ConversationId, HistoryRequest, MessageSend, Operation};
use chat_core::store::StoreError;
use chat_core::testing::{Call, Watch, WatchedStore};
use chat_core::{Actor, Chat, ChatConfig, ChatError, MemoryStore};
use common::{Device, PATIENCE, chat, chat_with, unlimited};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;

fn actor(name: &str) -> Actor {
    Actor::user(name.parse().unwrap())
}

/// A room of these users.
async fn room(chat: &Chat, users: &[&str]) -> (ConversationId, Vec<Device>) {
    let mut devices = Vec::new();
    for user in users {
        devices.push(Device::attach(chat, user).await);
    }
    let room = devices[0].creates("general").await;
    for device in &mut devices[1..] {
        device.joins(room).await;
    }
    for device in &mut devices {
        device.everything().await;
    }
    (room, devices)
}

fn count(frames: &[Value], kinds: &[&str]) -> usize {
    frames.iter().filter(|frame| kinds.iter().any(|kind| frame["type"] == *kind)).count()
}

/// Begins so many commands, as a client that does not wait, and counts those that are refused.
async fn flood(device: &mut Device, commands: impl Iterator<Item = (&str, Value)>) -> Vec<Value> {
    let mut refused = Vec::new();
    for (kind, payload) in commands {
        if let Err(error) = device.tries(kind, payload).await {
            assert_eq!(error["code"], "rate_limited", "{kind}: {error}");
            refused.push(error);
        }
    }
    refused
}

#[tokio::test(start_paused = true)]
async fn to_and_fro_of_typing_is_told_in_few_turns_and_the_truth_last() {
    let mut config = unlimited();
    config.limits.signals_per_second = 0;
    let chat = chat_with(config);
    let (room, mut devices) = room(&chat, &["ada", "bo"]).await;
    let [ada, bo] = devices.as_mut_slice() else { panic!("two") };
    let place = json!({"conversationId": room});
    let kinds = ["typing.started", "typing.stopped"];
    for last in ["typing.start", "typing.stop"] {
        let first = if last == "typing.start" { "typing.stop" } else { "typing.start" };
        for _ in 0..300 {
            ada.does(first, place.clone()).await;
            ada.does(last, place.clone()).await;
        }
        // All of that within one moment: so much time passes, then, that everything is told.
        tokio::time::sleep(Duration::from_millis(900)).await;
        let told = bo.everything().await;
        assert!((1..=6).contains(&count(&told, &kinds)), "{last}: {told:?}");
        let told = told.iter().rfind(|frame| kinds.iter().any(|kind| frame["type"] == *kind));
        let truth = if last == "typing.start" { "typing.started" } else { "typing.stopped" };
        assert_eq!(told.unwrap()["type"], truth);
        tokio::time::sleep(Duration::from_secs(10)).await;
        bo.everything().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_typing_start_is_not_told_again_but_lasts() {
    let chat = chat();
    let (room, mut devices) = room(&chat, &["ada", "bo"]).await;
    let [ada, bo] = devices.as_mut_slice() else { panic!("two") };
    for _ in 0..20 {
        ada.does("typing.start", json!({"conversationId": room})).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    let told = bo.everything().await;
    assert_eq!(count(&told, &["typing.stopped"]), 0, "{told:?}");
    // Once, and again after each two seconds of the eight.
    assert!((1..=5).contains(&count(&told, &["typing.started"])), "{told:?}");
    let began = Instant::now();
    bo.event("typing.stopped").await;
    assert!(began.elapsed() <= Duration::from_millis(2_800), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_signals_is_refused_and_others_are_told_little_of_it() {
    let chat = chat();
    let (_, mut devices) = room(&chat, &["ada", "bo", "cy"]).await;
    let (ada, others) = devices.split_first_mut().unwrap();
    let limits = chat.config().limits;
    let statuses = ["away", "online"].into_iter().cycle();
    let flips = statuses.map(|status| ("presence.set", json!({"status": status}))).take(600);
    let refused = flood(ada, flips).await;
    let burst = limits.signal_burst / Operation::PresenceSet.cost();
    assert!(600 - refused.len() <= burst as usize + 1, "{} passed", 600 - refused.len());
    for other in &mut *others {
        let told = other.everything().await;
        assert!(count(&told, &["presence.changed"]) <= burst as usize + 1, "{}", told.len());
    }
    // What is refused says when it fits, and then it does; a moment earlier it does not.
    let mut waits = Vec::new();
    for status in ["away", "online"] {
        let refused = ada.tries("presence.set", json!({"status": status})).await.unwrap_err();
        waits.push((refused["retryAfterMs"].as_u64().unwrap(), status));
    }
    // The other of the two is how ada is shown, and so costs less.
    let (wait, status) = waits.into_iter().max().unwrap();
    tokio::time::sleep(Duration::from_millis(wait - 5)).await;
    let early = ada.tries("presence.set", json!({"status": status})).await.unwrap_err();
    assert_eq!(early["code"], "rate_limited");
    tokio::time::sleep(Duration::from_millis(10)).await;
    ada.does("presence.set", json!({"status": status})).await;
    others[0].wait_for(|frame| frame["payload"]["status"] == status).await;
}

#[tokio::test(start_paused = true)]
async fn presence_that_is_set_again_costs_little() {
    let chat = chat();
    let (_, mut devices) = room(&chat, &["ada", "bo"]).await;
    let repeats = (0..200).map(|_| ("presence.set", json!({"status": "away"})));
    assert_eq!(flood(&mut devices[0], repeats).await, Vec::<Value>::new());
    let told = devices[1].everything().await;
    assert_eq!(count(&told, &["presence.changed"]), 1, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn who_comes_and_goes_in_a_room_over_and_over_is_refused() {
    let chat = chat();
    let (room, mut devices) = room(&chat, &["ada", "bo"]).await;
    let place = json!({"conversationId": room});
    let kinds = ["conversation.leave", "conversation.join"].into_iter().cycle();
    let refused = flood(&mut devices[1], kinds.map(|kind| (kind, place.clone())).take(200)).await;
    let allowed = chat.config().limits.membership_changes_per_minute as usize;
    assert!(200 - refused.len() <= allowed + 1, "{} passed", 200 - refused.len());
    let told = devices[0].everything().await;
    assert!(count(&told, &["member.joined", "member.left"]) <= allowed + 1);
    let wait = refused.last().unwrap()["retryAfterMs"].as_u64().unwrap();
    assert!((1..=1_000).contains(&wait), "{wait}");
}

#[tokio::test(start_paused = true)]
async fn who_connects_over_and_over_is_refused_and_told_when_to_come_back() {
    let chat = chat();
    let ada = Identity::of("ada".parse().unwrap());
    let mut refused = None;
    for _ in 0..300 {
        match chat.attach(&ada).await {
            Ok(session) => drop(session),
            Err(ChatError::RateLimited { retry_after }) => {
                refused = Some(retry_after);
                break;
            }
            Err(error) => panic!("{error}"),
        }
    }
    tokio::time::sleep(refused.expect("a refusal")).await;
    chat.attach(&ada).await.unwrap();
    chat.attach(&Identity::of("bo".parse().unwrap())).await.unwrap();
}

/// Of each command, one that needs a budget and one after which it is used up. A command that is
/// missing here fails the test: so nobody adds one without a thought for what it costs.
#[tokio::test(start_paused = true)]
async fn every_command_is_taken_from_the_budget_of_its_class() {
    let id = ConversationId::generate();
    let place = json!({"conversationId": id});
    let samples = [
        ("session.authenticate", json!({"token": "t"})),
        ("session.resume", json!({"cursors": {id.to_string(): 1}})),
        ("message.send", json!({"conversationId": id, "content": "hi"})),
        ("history.load", place.clone()),
        ("typing.start", place.clone()),
        ("typing.stop", place.clone()),
        ("receipt.read", place.clone()),
        ("receipt.delivered", place.clone()),
        ("conversation.open", json!({"userId": "nobody"})),
        ("conversation.create", json!({"name": "room"})),
        ("conversation.join", place.clone()),
        ("conversation.leave", place.clone()),
        ("conversation.list", json!({})),
        ("conversation.members", place),
        ("room.list", json!({})),
        ("presence.set", json!({"status": "away"})),
        ("presence.list", json!({})),
        ("ping", json!({})),
    ];
    // All that belong to a command; REST alone has the others.
    let rest = [
        Operation::Connect,
        Operation::MessageShow,
        Operation::ConversationShow,
        Operation::UnreadCount,
        Operation::UserSearch,
        Operation::UserShow,
    ];
    for operation in Operation::ALL {
        let sampled = samples.iter().any(|(kind, _)| *kind == operation.as_str());
        assert_eq!(!sampled, rest.contains(operation), "{}", operation.as_str());
    }
    for (kind, payload) in samples {
        let frame = json!({"id": 1, "type": kind, "payload": payload}).to_string();
        let command: Command = chat_core::proto::ClientFrame::decode(&frame).unwrap().command;
        let operation = command.operation();
        assert_eq!(operation.as_str(), kind);
        // One event and no more, for ever after: whatever the class, the second is refused.
        let mut config = ChatConfig::default();
        let limits = &mut config.limits;
        (limits.messages_per_second, limits.message_burst) = (1, 1);
        (limits.reads_per_second, limits.read_burst) = (1, 1);
        (limits.signals_per_second, limits.signal_burst) = (1, 1);
        limits.membership_changes_per_minute = 1;
        limits.resume_conversations_per_minute = 1;
        let chat = chat_with(config);
        let mut device = Device::attach(&chat, "ada").await;
        let mut refused = 0;
        for _ in 0..2 {
            let answer = device.tries(kind, payload.clone()).await;
            refused += usize::from(answer.is_err_and(|error| error["code"] == "rate_limited"));
        }
        // What is set again costs as little as anything.
        let expected = usize::from(operation.class() != Class::Free);
        assert_eq!(refused, expected, "{kind} is of {:?}", operation.class());
    }
}

/// What REST asks for is taken from the same budget as what a session asks for.
#[tokio::test(start_paused = true)]
async fn neither_transport_goes_around_the_other() {
    let mut config = ChatConfig::default();
    (config.limits.reads_per_second, config.limits.read_burst) = (1, 10);
    let chat = chat_with(config);
    let mut device = Device::attach(&chat, "ada").await;
    let ada = actor("ada");
    for _ in 0..5 {
        device.does("conversation.list", json!({})).await;
        chat.unread(&ada).await.unwrap();
    }
    let refused = device.tries("room.list", json!({})).await.unwrap_err();
    assert_eq!(refused["code"], "rate_limited");
    let limited = |error: ChatError| assert!(matches!(error, ChatError::RateLimited { .. }));
    limited(chat.unread(&ada).await.map(drop).unwrap_err());
    limited(chat.rooms(&ada, None, None).await.map(drop).unwrap_err());
    limited(chat.search_users(&ada, "a", None).await.map(drop).unwrap_err());
    limited(chat.profile(&ada, &ada.user_id).await.map(drop).unwrap_err());
    let id = ConversationId::generate();
    limited(chat.conversation(&ada, id).await.map(drop).unwrap_err());
    limited(chat.history(&ada, &HistoryRequest::latest(id)).await.map(drop).unwrap_err());
    limited(chat.message(&ada, chat_core::proto::MessageId::generate()).await.unwrap_err());
    // Nobody else is.
    chat.unread(&actor("bo")).await.unwrap();
}

/// Holds up calls of one kind until told to let them go, and counts all calls.
#[derive(Debug)]
struct Holds {
    method: &'static str,
    holding: AtomicBool,
    begun: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
    gate: Semaphore,
}

impl Holds {
    fn new(method: &'static str) -> Arc<Self> {
        Arc::new(Self {
            method,
            holding: AtomicBool::new(false),
            begun: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            all: AtomicUsize::new(0),
            gate: Semaphore::new(0),
        })
    }

    fn chat(self: &Arc<Self>) -> Chat {
        let store = WatchedStore::new(Arc::new(MemoryStore::new()), self.clone());
        let mut config = ChatConfig::default();
        config.limits.messages_per_second = 0;
        Chat::builder(Arc::new(store)).config(config).uncached().build()
    }
}

#[async_trait]
impl Watch for Holds {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        self.all.fetch_add(1, Ordering::SeqCst);
        if call.method == self.method && self.holding.load(Ordering::SeqCst) {
            let now = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            self.begun.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

#[tokio::test]
async fn pages_of_one_user_wait_for_each_other_and_hold_up_nobody() {
    let holds = Holds::new("messages");
    let chat = holds.chat();
    let (room, mut devices) = room(&chat, &["ada", "bo"]).await;
    devices[0].sends(room, "first").await;
    holds.holding.store(true, Ordering::SeqCst);
    let at_once = chat.config().limits.operations_at_once;
    let mut reading = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let chat = chat.clone();
        reading.spawn(async move {
            chat.history(&actor("ada"), &HistoryRequest::latest(room)).await.map(drop)
        });
    }
    while holds.begun.load(Ordering::SeqCst) < at_once {
        tokio::task::yield_now().await;
    }
    // Ada's own sends do not wait for them, and neither do anybody's but ada's reads.
    let message = MessageSend { conversation_id: room, client_id: None, content: "own".into() };
    let ada = actor("ada");
    let sending = chat.send(&ada, message);
    tokio::time::timeout(PATIENCE, sending).await.expect("not held up").unwrap();
    devices[1].sends(room, "other").await;
    devices[1].does("conversation.list", json!({})).await;
    let page = devices[1].begin("history.load", json!({"conversationId": room}));
    let asked = async {
        while holds.begun.load(Ordering::SeqCst) <= at_once {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = devices[1].answer(page) => panic!("it was held up: {answer:?}"),
        () = asked => {}
    }
    assert_eq!(holds.most.load(Ordering::SeqCst), at_once + 1, "four of ada's, and bo's");
    holds.gate.add_permits(1_000);
    while let Some(read) = reading.join_next().await {
        read.unwrap().unwrap();
    }
    devices[1].answer(page).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_own_turn_waits_no_longer_than_for_the_store() {
    let holds = Holds::new("messages");
    let chat = holds.chat();
    let (room, mut devices) = room(&chat, &["ada"]).await;
    devices[0].sends(room, "first").await;
    holds.holding.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let reading = (0..20).map(|_| {
        let chat = chat.clone();
        async move { chat.history(&actor("ada"), &HistoryRequest::latest(room)).await.map(drop) }
    });
    for read in futures::future::join_all(reading).await {
        assert!(matches!(read, Err(ChatError::Timeout | ChatError::Busy)), "{read:?}");
    }
    assert!(began.elapsed() <= Duration::from_secs(11), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_resume_of_unknown_conversations_asks_the_store_for_none() {
    let holds = Holds::new("none");
    let chat = holds.chat();
    let (room, mut devices) = room(&chat, &["ada"]).await;
    devices[0].sends(room, "first").await;
    let unknown = |count: usize| -> HashMap<String, u64> {
        (0..count).map(|_| (ConversationId::generate().to_string(), 1)).collect()
    };
    let before = holds.all.load(Ordering::SeqCst);
    let reply = devices[0].does("session.resume", json!({"cursors": unknown(1_000)})).await;
    assert_eq!(reply["reset"].as_array().unwrap().len(), 1_000);
    assert_eq!(holds.all.load(Ordering::SeqCst) - before, 0, "calls for what nobody knows");
    let mut cursors = unknown(999);
    cursors.insert(room.to_string(), 1);
    let reply = devices[0].does("session.resume", json!({"cursors": cursors})).await;
    assert_eq!((&reply["replayed"], reply["reset"].as_array().unwrap().len()), (&json!(1), 999));
    let calls = holds.all.load(Ordering::SeqCst) - before;
    assert!((1..=3).contains(&calls), "{calls} calls for one that is known");

    let refused = devices[0].tries("session.resume", json!({"cursors": unknown(1_001)})).await;
    assert_eq!(refused.unwrap_err()["code"], "invalid_payload");
}

#[tokio::test(start_paused = true)]
async fn a_resume_costs_by_the_conversations_it_names() {
    let mut config = ChatConfig::default();
    config.limits.resume_conversations_per_minute = 600;
    let chat = chat_with(config);
    let mut ada = Device::attach(&chat, "ada").await;
    let unknown = |count: usize| {
        let ids = (0..count).map(|_| (ConversationId::generate().to_string(), 1));
        json!({"cursors": ids.collect::<HashMap<_, _>>()})
    };
    for _ in 0..3 {
        ada.does("session.resume", unknown(200)).await;
    }
    let refused = ada.tries("session.resume", unknown(200)).await.unwrap_err();
    assert_eq!(refused["code"], "rate_limited");
    // Ten a second come back.
    let wait = refused["retryAfterMs"].as_u64().unwrap();
    assert!((19_000..=20_000).contains(&wait), "{wait}");
    tokio::time::sleep(Duration::from_millis(wait - 500)).await;
    assert!(ada.tries("session.resume", unknown(200)).await.is_err());
    tokio::time::sleep(Duration::from_millis(500)).await;
    ada.does("session.resume", unknown(200)).await;
    // Everything else goes on.
    ada.does("ping", json!({})).await;
}

#[tokio::test]
async fn a_resume_reads_its_pages_in_its_users_turn() {
    let holds = Holds::new("changes");
    let chat = holds.chat();
    let (room, mut devices) = room(&chat, &["ada", "bo"]).await;
    for n in 0..100 {
        devices[1].sends(room, &n.to_string()).await;
    }
    let mut readers = Vec::new();
    for _ in 0..10 {
        readers.push(Device::attach(&chat, "ada").await);
    }
    holds.holding.store(true, Ordering::SeqCst);
    let mut reading = tokio::task::JoinSet::new();
    for mut reader in readers {
        reading.spawn(async move {
            // More than is read along with the question takes pages of its own.
            let cursors = json!({"cursors": {room.to_string(): 0}});
            reader.tries("session.resume", cursors).await
        });
    }
    while holds.begun.load(Ordering::SeqCst) < chat.config().limits.operations_at_once {
        tokio::task::yield_now().await;
    }
    holds.gate.add_permits(1_000);
    while let Some(read) = reading.join_next().await {
        assert_eq!(read.unwrap().unwrap()["replayed"], 102);
    }
    let most = holds.most.load(Ordering::SeqCst);
    assert!((1..=chat.config().limits.operations_at_once).contains(&most), "{most} at once");
}

#[tokio::test]
async fn a_user_who_reads_ten_conversations_a_second_is_never_refused() {
    let chat = chat();
    let claims = UserClaims::of("ada".parse().unwrap());
    chat.admit(&claims).await.unwrap();
    let (room, mut devices) = room(&chat, &["ada", "bo"]).await;
    devices[1].sends(room, "hello").await;
    // Two hundred at once, as after a reconnect, and each is read and acknowledged.
    for _ in 0..200 {
        devices[0].does("history.load", json!({"conversationId": room})).await;
        devices[0].does("receipt.read", json!({"conversationId": room})).await;
    }
}
