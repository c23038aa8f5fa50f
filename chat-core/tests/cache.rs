//! The cache in an engine: on unless turned off, told of what other nodes do, and no source of
//! rights.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::auth::UserClaims;
use chat_core::broker::Broker;
use chat_core::cache::CacheConfig;
use chat_core::proto::{
    ConversationId, ConversationSummary, ConversationTarget, CreateRoom, HistoryRequest,
    MessageSend, PeerTarget, RoomName,
};
use chat_core::store::StoreError;
use chat_core::testing::{Call, Faults, FaultyBroker, Watch, WatchedStore};
use chat_core::{Actor, Chat, ChatConfig, ChatError, MemoryPresence, MemoryStore, PresenceScope};
use common::{Device, PATIENCE, unlimited};

fn actor(user: &str) -> Actor {
    Actor::user(user.parse().unwrap())
}

async fn admit(chat: &Chat, user: &str) {
    chat.admit(&UserClaims::of(user.parse().unwrap())).await.unwrap();
}

async fn room(chat: &Chat, owner: &str) -> ConversationId {
    let room = CreateRoom {
        kind: None,
        name: RoomName::parse("general").unwrap(),
        topic: None,
        visibility: None,
    };
    chat.create_room(&actor(owner), room).await.unwrap().conversation_id
}

async fn direct(chat: &Chat, opener: &str, peer: &str) -> ConversationId {
    let peer = PeerTarget { user_id: Some(peer.parse().unwrap()), username: None };
    chat.open_direct(&actor(opener), &peer).await.unwrap().conversation_id
}

async fn join(chat: &Chat, user: &str, place: ConversationId) {
    let target = ConversationTarget { conversation_id: Some(place), name: None };
    chat.join_room(&actor(user), &target).await.unwrap();
}

fn hello(place: ConversationId) -> MessageSend {
    MessageSend { conversation_id: place, client_id: None, content: "hello".into() }
}

async fn send(chat: &Chat, user: &str, place: ConversationId) {
    chat.send(&actor(user), hello(place)).await.unwrap();
}

async fn list(chat: &Chat, user: &str) -> Vec<ConversationSummary> {
    chat.conversations(&actor(user), None, None).await.unwrap().data
}

/// One conversation as a user's list shows it.
async fn listed(chat: &Chat, user: &str, place: ConversationId) -> ConversationSummary {
    let mut list = list(chat, user).await.into_iter();
    list.find(|summary| summary.conversation_id == place).unwrap()
}

async fn unread(chat: &Chat, user: &str) -> u64 {
    chat.unread(&actor(user)).await.unwrap().unread
}

/// Lets time pass, where time is paused.
async fn passes(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

async fn members(chat: &Chat, user: &str, place: ConversationId) -> usize {
    chat.members(&actor(user), place, None, None).await.unwrap().data.len()
}

#[tokio::test]
async fn lists_are_kept_unless_the_cache_is_turned_off() {
    let builder = || Chat::builder(Arc::new(MemoryStore::new()));
    for (chat, counted) in [(builder().build(), Some((2, 1))), (builder().uncached().build(), None)]
    {
        admit(&chat, "ada").await;
        for _ in 0..3 {
            assert!(list(&chat, "ada").await.is_empty());
        }
        let stats = chat.cache_stats().map(|stats| (stats.lists.hits, stats.lists.misses));
        assert_eq!(stats, counted);
    }
}

/// Two engines over one store with caches that keep everything for an hour: what shows earlier,
/// shows by the news.
fn two_nodes(broker: Option<&FaultyBroker>, reconcile_interval_ms: u64) -> [Chat; 2] {
    two_nodes_with(broker, ChatConfig { reconcile_interval_ms, ..unlimited() })
}

fn two_nodes_with(broker: Option<&FaultyBroker>, mut config: ChatConfig) -> [Chat; 2] {
    config.limits.receipt_members = 2;
    let (store, presence) = (Arc::new(MemoryStore::new()), MemoryPresence::new());
    [(); 2].map(|()| {
        let builder = Chat::builder(store.clone())
            .presence(Arc::new(presence.clone()))
            .cache(CacheConfig { staleness_ms: 3_600_000, ..CacheConfig::default() })
            .config(ChatConfig {
                presence_scope: PresenceScope::Everyone,
                presence_grace_ms: 200,
                ..config.clone()
            });
        match broker {
            Some(broker) => builder.broker(Arc::new(broker.node()) as Arc<dyn Broker>).build(),
            None => builder.build(),
        }
    })
}

const NEVER: u64 = 3_600_000;

#[tokio::test(start_paused = true)]
async fn what_another_node_did_shows_as_soon_as_it_is_told() {
    let broker = FaultyBroker::new(Faults::NONE, 1);
    let [here, there] = two_nodes(Some(&broker), NEVER);
    admit(&there, "cy").await;
    let mut ada = Device::attach(&here, "ada").await;
    let laptop = Device::attach(&there, "ada").await;
    let bo = Device::attach(&there, "bo").await;

    assert!(list(&here, "ada").await.is_empty());
    let place = room(&there, "bo").await;
    join(&there, "ada", place).await;
    passes(Duration::from_millis(1)).await;
    assert_eq!(listed(&here, "ada", place).await.conversation.member_count, 2);
    ada.event("conversation.created").await;

    assert_eq!((members(&here, "ada", place).await, unread(&here, "ada").await), (2, 0));
    send(&there, "bo", place).await;
    ada.sees("hello").await;
    assert_eq!(listed(&here, "ada", place).await.last_seq, 1);
    assert_eq!(unread(&here, "ada").await, 1);

    join(&there, "cy", place).await;
    ada.wait_for(|frame| frame["payload"]["member"]["userId"] == "cy").await;
    assert_eq!(members(&here, "ada", place).await, 3);
    assert_eq!(listed(&here, "ada", place).await.conversation.member_count, 3);

    assert_eq!(unread(&here, "ada").await, 1);
    there.mark_read(&actor("ada"), place, None).await.unwrap();
    ada.event("unread.changed").await;
    assert_eq!(unread(&here, "ada").await, 0);
    assert_eq!(listed(&here, "ada", place).await.read_seq, 1);

    there.leave_room(&actor("cy"), place, true).await.unwrap();
    ada.event("member.left").await;
    assert_eq!(members(&here, "ada", place).await, 2);

    let pair = direct(&there, "bo", "ada").await;
    ada.event("conversation.created").await;
    send(&here, "ada", pair).await;
    assert_eq!(listed(&here, "ada", pair).await.peer_read_seq, Some(0));
    there.mark_read(&actor("bo"), pair, None).await.unwrap();
    ada.event("receipt.read").await;
    assert_eq!(listed(&here, "ada", pair).await.peer_read_seq, Some(1));

    let bo_id = "bo".parse().unwrap();
    assert_eq!(here.user(&bo_id).await.unwrap().last_seen_at, None);
    drop(bo);
    ada.wait_for(|frame| frame["payload"]["status"] == "offline").await;
    let seen = here.user(&bo_id).await.unwrap().last_seen_at;
    assert!(seen.is_some());
    assert_eq!(here.user_by_name("bo").await.unwrap().last_seen_at, seen);
    assert_eq!(listed(&here, "ada", pair).await.peer.unwrap().last_seen_at, seen);
    drop(laptop);
}

#[tokio::test(start_paused = true)]
async fn what_is_found_in_the_store_shows_as_soon_as_it_is_told() {
    let broker = FaultyBroker::new(Faults { lost: 100, repeated: 0, delayed: 0 }, 1);
    let [here, there] = two_nodes(Some(&broker), 500);
    admit(&there, "bo").await;
    let mut ada = Device::attach(&here, "ada").await;
    assert!(list(&here, "ada").await.is_empty());

    let place = room(&there, "bo").await;
    join(&there, "ada", place).await;
    assert!(list(&here, "ada").await.is_empty());
    passes(Duration::from_millis(700)).await;
    assert_eq!(listed(&here, "ada", place).await.last_seq, 0);
    assert_eq!(members(&here, "ada", place).await, 2);
    ada.event("conversation.created").await;

    assert_eq!(listed(&here, "ada", place).await.last_seq, 0);
    send(&there, "bo", place).await;
    assert_eq!(listed(&here, "ada", place).await.last_seq, 0);
    ada.sees("hello").await;
    assert_eq!(listed(&here, "ada", place).await.last_seq, 1);

    there.leave_room(&actor("bo"), place, true).await.unwrap();
    ada.event("member.left").await;
    assert_eq!(members(&here, "ada", place).await, 1);

    assert_eq!(list(&here, "ada").await.len(), 1);
    there.leave_room(&actor("ada"), place, true).await.unwrap();
    assert_eq!(list(&here, "ada").await.len(), 1);
    ada.event("member.left").await;
    assert!(list(&here, "ada").await.is_empty());
}

/// What a node cannot yet tell its devices, their lists show.
#[tokio::test(start_paused = true)]
async fn a_head_that_has_moved_shows_before_its_changes_are_read() {
    let broker = FaultyBroker::new(Faults { lost: 100, repeated: 0, delayed: 0 }, 1);
    let patient = ChatConfig {
        reconcile_interval_ms: 500,
        gap_patience_ms: 60_000,
        call_timeout_ms: 60_000,
        ..unlimited()
    };
    let [here, there] = two_nodes_with(Some(&broker), patient);
    let mut ada = Device::attach(&here, "ada").await;
    admit(&there, "bo").await;
    let place = room(&here, "ada").await;
    for _ in 0..2 {
        assert_eq!(members(&here, "ada", place).await, 1);
        assert_eq!(listed(&here, "ada", place).await.last_seq, 0);
        join(&there, "bo", place).await;
        send(&there, "bo", place).await;
    }
    let waiting = tokio::time::timeout(Duration::from_secs(1), ada.sees("hello")).await;
    assert!(waiting.is_err(), "the gap may yet be filled by a late arrival");
    assert_eq!(listed(&here, "ada", place).await.last_seq, 2);
    assert_eq!(members(&here, "ada", place).await, 2);
}

#[tokio::test(start_paused = true)]
async fn who_was_greeted_or_caught_up_is_shown_nothing_older() {
    let [here, there] = two_nodes(None, NEVER);
    admit(&there, "ada").await;
    let place = room(&there, "ada").await;
    assert_eq!(listed(&here, "ada", place).await.last_seq, 0);
    send(&there, "ada", place).await;
    assert_eq!(listed(&here, "ada", place).await.last_seq, 0, "nothing was heard");

    let mut device = Device::attach(&here, "ada").await;
    assert_eq!(device.ready["conversations"][0]["lastSeq"], 1);
    assert_eq!(listed(&here, "ada", place).await.last_seq, 1);

    send(&there, "ada", place).await;
    assert_eq!(listed(&here, "ada", place).await.last_seq, 1);
    let cursors = serde_json::json!({"cursors": {place.to_string(): 2}});
    device.does("session.resume", cursors).await;
    assert_eq!(listed(&here, "ada", place).await.last_seq, 2);
}

/// However much of a conversation is kept, who has left it elsewhere is refused at once, and is
/// shown nothing that came after.
#[tokio::test(start_paused = true)]
async fn no_right_comes_from_the_cache() {
    let [here, there] = two_nodes(None, NEVER);
    for user in ["ada", "bo"] {
        admit(&there, user).await;
    }
    let place = room(&there, "ada").await;
    join(&there, "bo", place).await;
    send(&there, "ada", place).await;
    let bo = actor("bo");
    let page = HistoryRequest::latest(place);
    let message = here.history(&bo, &page).await.unwrap().data[0].id;
    here.message(&bo, message).await.unwrap();
    here.conversation(&bo, place).await.unwrap();
    here.start_typing(&bo, place).await.unwrap();
    assert_eq!(members(&here, "bo", place).await, 2);
    assert_eq!(listed(&here, "bo", place).await.last_seq, 1);
    assert_eq!(unread(&here, "bo").await, 1);

    there.leave_room(&bo, place, true).await.unwrap();
    send(&there, "ada", place).await;
    let refused = [
        here.history(&bo, &page).await.map(drop),
        here.message(&bo, message).await.map(drop),
        here.conversation(&bo, place).await.map(drop),
        here.members(&bo, place, None, None).await.map(drop),
        here.start_typing(&bo, place).await,
        here.send(&bo, hello(place)).await.map(drop),
        here.mark_read(&bo, place, None).await.map(drop),
        here.leave_room(&bo, place, true).await,
    ];
    for (n, refused) in refused.into_iter().enumerate() {
        assert!(matches!(refused, Err(ChatError::NotFound)), "{n}: {refused:?}");
    }
    assert!(list(&here, "bo").await.iter().all(|summary| summary.last_seq < 2));
    let device = Device::attach(&here, "bo").await;
    assert_eq!(device.ready["conversations"], serde_json::json!([]));
    assert!(list(&here, "bo").await.is_empty());
}

#[tokio::test]
async fn an_engine_starts_warm() {
    let store = Arc::new(MemoryStore::new());
    let before = Chat::builder(store.clone()).build();
    admit(&before, "ada").await;
    let place = room(&before, "ada").await;
    send(&before, "ada", place).await;
    for (warm, kept) in [(1_000, 1), (0, 0)] {
        let chat = Chat::builder(store.clone())
            .cache(CacheConfig { warm, ..CacheConfig::default() })
            .build();
        let entries = || {
            let stats = chat.cache_stats().unwrap();
            (stats.conversations.entries, stats.heads.entries)
        };
        let warming = async {
            while entries() != (kept, kept) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, warming).await.unwrap();
        chat.shutdown().await;
        assert_eq!(entries(), (kept, kept));
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_starts_and_stops_while_its_store_is_away() {
    /// Does not answer what warms a cache, or refuses it.
    #[derive(Debug)]
    struct Away {
        hangs: bool,
    }
    #[async_trait]
    impl Watch for Away {
        async fn before(&self, call: Call) -> Result<(), StoreError> {
            if call.method != "recent" {
                return Ok(());
            }
            if self.hangs {
                std::future::pending::<()>().await;
            }
            Err(StoreError::unavailable("away"))
        }
    }
    for hangs in [false, true] {
        let store = WatchedStore::new(Arc::new(MemoryStore::new()), Arc::new(Away { hangs }));
        let began = tokio::time::Instant::now();
        let chat = Chat::builder(Arc::new(store)).build();
        admit(&chat, "ada").await;
        assert!(list(&chat, "ada").await.is_empty());
        chat.shutdown().await;
        assert!(began.elapsed() < Duration::from_millis(100), "nobody waits for it");
    }
}
