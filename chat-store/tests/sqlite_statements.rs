//! The number of statements does not depend on how much there is to do.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use chat_core::proto::{
    ClientId, ConversationId, DisplayName, MessageBody, MessageId, RoomName, UserId, Username,
    Visibility,
};
use chat_core::store::{
    ConversationStore, InboxStore, MessageDraft, MessageStore, NewRoom, NewUser, UserStore,
};
use chat_store::SqliteStore;
use jiff::Timestamp;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Statements since the last look, as the driver reports each of them.
static STATEMENTS: AtomicUsize = AtomicUsize::new(0);

struct CountStatements;

impl Subscriber for CountStatements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn event(&self, _: &Event<'_>) {
        STATEMENTS.fetch_add(1, Ordering::SeqCst);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// How many statements some work takes, beside those of opening and closing. A statement is reported
/// a moment after its last row, so the store must be closed before they are counted.
async fn statements(path: &Path, work: impl AsyncFn(&SqliteStore)) -> usize {
    let mut counts = [0; 2];
    for (count, works) in counts.iter_mut().zip([false, true]) {
        let before = STATEMENTS.load(Ordering::SeqCst);
        let store = SqliteStore::open(path.to_str().unwrap()).await.unwrap();
        if works {
            work(&store).await;
        }
        store.close().await;
        *count = STATEMENTS.load(Ordering::SeqCst) - before;
    }
    counts[1] - counts[0]
}

async fn room(store: &SqliteStore, owner: &UserId) -> ConversationId {
    let room = NewRoom {
        id: ConversationId::generate(),
        name: RoomName::parse("general").unwrap(),
        topic: None,
        visibility: Visibility::Public,
        owner: owner.clone(),
        created_at: Timestamp::now(),
    };
    store.create_room(room).await.unwrap().id
}

fn drafts(rooms: &[ConversationId], sender: &UserId, count: usize) -> Vec<MessageDraft> {
    let draft = |room: &ConversationId| MessageDraft {
        id: MessageId::generate(),
        conversation_id: *room,
        sender_id: sender.clone(),
        client_id: ClientId::generate(),
        content: MessageBody::parse("hello @ada, hello @bob", 100).unwrap(),
        mentions: vec!["ada".into(), "bob".into()],
        created_at: Timestamp::now(),
    };
    rooms.iter().cycle().take(count).map(draft).collect()
}

#[tokio::test]
async fn batches_and_pages_take_a_constant_number_of_statements() {
    tracing::subscriber::set_global_default(CountStatements).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store = SqliteStore::open(path.to_str().unwrap()).await.unwrap();
    store.migrate().await.unwrap();
    let username = Username::parse("ada").unwrap();
    let ada: UserId = "ada".parse().unwrap();
    let user = NewUser {
        id: ada.clone(),
        display_name: DisplayName::from(&username),
        username,
        created_at: Timestamp::now(),
    };
    store.ensure_user(user).await.unwrap();
    let mut rooms = Vec::new();
    for _ in 0..50 {
        rooms.push(room(&store, &ada).await);
    }

    let append = async |drafts: &[MessageDraft]| {
        statements(&path, async |store| drop(store.append(drafts.to_vec()).await.unwrap())).await
    };
    let one = append(&drafts(&rooms, &ada, 1)).await;
    assert!((1..=5).contains(&one), "{one}");
    let batch = drafts(&rooms, &ada, 1_024);
    assert_eq!(append(&batch).await, one);
    assert_eq!(append(&batch).await, 1, "repeats are found by the check alone");

    for limit in [1, 50] {
        let page = async |store: &SqliteStore| {
            assert_eq!(store.summaries(&ada, None, limit).await.unwrap().len(), limit);
        };
        assert_eq!(statements(&path, page).await, 1);
        let changes = async |store: &SqliteStore| {
            assert!(store.changes(rooms[0], 0, limit).await.unwrap().events.len() <= limit);
        };
        assert_eq!(statements(&path, changes).await, 3);
    }
    let counts = async |store: &SqliteStore| {
        assert_eq!(store.unread_total(&ada).await.unwrap().unread, 0);
    };
    assert_eq!(statements(&path, counts).await, 1);
    let heads = async |store: &SqliteStore| {
        assert_eq!(store.heads(&rooms).await.unwrap().len(), rooms.len());
    };
    assert_eq!(statements(&path, heads).await, 1);
}
