//! What people do often takes a few statements, however much there is: on every database.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

#[path = "system/home.rs"]
mod home;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use chat_core::auth::{Identity, UserClaims};
use chat_core::proto::{ConversationId, CreateRoom, HistoryRequest, MessageSend};
use chat_core::{Actor, Chat, ChatConfig, Outgoing, Session};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use home::{Home, OpenStore};

/// Statements since the beginning, as the driver reports each of them.
static STATEMENTS: AtomicUsize = AtomicUsize::new(0);

struct CountStatements;

/// The beginning of a statement.
#[derive(Default)]
struct Statement(String);

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "summary" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl Subscriber for CountStatements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn event(&self, event: &Event<'_>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        // A pool may open a connection whenever it likes, and sets it up.
        if !statement.0.starts_with("PRAGMA") {
            STATEMENTS.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// An engine without a cache, so that the statements are those of the worst case.
fn engine(store: &OpenStore) -> Chat {
    let mut config = ChatConfig { reconcile_interval_ms: 3_600_000, ..ChatConfig::default() };
    config.limits = config.limits.without_rates();
    Chat::builder(store.store()).config(config).uncached().build()
}

/// How many statements some work takes, beside those of opening and closing. What the work leaves
/// behind ends without a goodbye, which would take statements of its own.
async fn statements<T>(home: &Home, work: impl AsyncFn(&Chat) -> T) -> usize {
    let mut counts = [0; 2];
    for (count, works) in counts.iter_mut().zip([false, true]) {
        let before = STATEMENTS.load(Ordering::SeqCst);
        let store = home.open().await;
        let chat = engine(&store);
        let left = if works { Some(work(&chat).await) } else { None };
        chat.abandon();
        store.close().await;
        drop(left);
        *count = STATEMENTS.load(Ordering::SeqCst) - before;
    }
    counts[1] - counts[0]
}

/// Changes of each of [`rooms`]: the owner comes, then two others, who write once each.
const CHANGES: u64 = 5;

/// A user with so many rooms, in each of which two others have written.
async fn rooms(chat: &Chat, owner: &Actor, count: usize) -> Vec<ConversationId> {
    let mut rooms = Vec::new();
    for n in 0..count {
        let room =
            serde_json::from_value::<CreateRoom>(serde_json::json!({"name": format!("{n}")}));
        let id = chat.create_room(owner, room.unwrap()).await.unwrap().conversation_id;
        let target = serde_json::from_value(serde_json::json!({"conversationId": id})).unwrap();
        for name in ["bo", "cy"] {
            let user = chat.admit(&UserClaims::of(name.parse().unwrap())).await.unwrap();
            let user = Actor::user(user.id);
            chat.join_room(&user, &target).await.unwrap();
            let message =
                MessageSend { conversation_id: id, client_id: None, content: "hello @ada".into() };
            chat.send(&user, message).await.unwrap();
        }
        rooms.push(id);
    }
    rooms
}

/// Connects a device that knows so many changes of some rooms, and has it told the others.
async fn come_back(
    chat: &Chat,
    identity: &Identity,
    rooms: &[ConversationId],
    known: u64,
) -> Session {
    let mut device = chat.attach(identity).await.unwrap();
    let cursors: HashMap<_, _> = rooms.iter().map(|room| (room, known)).collect();
    let payload = serde_json::json!({"cursors": cursors});
    let resume = serde_json::json!({"id": 1, "type": "session.resume", "payload": payload});
    device.receive(&resume.to_string());
    loop {
        let Outgoing::Frames(frames) = device.next().await else { panic!("it was closed") };
        if frames.iter().any(|frame| frame.starts_with(br#"{"type":"reply""#)) {
            return device;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_do_often_takes_a_few_statements() {
    tracing::subscriber::set_global_default(CountStatements).unwrap();
    for home in [Home::on_sqlite(), Home::on_postgres()] {
        let store = home.open().await;
        let chat = engine(&store);
        let ada = chat.admit(&UserClaims::of("ada".parse().unwrap())).await.unwrap();
        let identity = Identity::of(ada.id.clone());
        let ada = Actor::user(ada.id);
        let rooms = rooms(&chat, &ada, 60).await;
        chat.shutdown().await;
        store.close().await;

        let connect = statements(&home, async |chat| chat.attach(&identity).await.unwrap());
        let connect = connect.await;
        assert!((1..=3).contains(&connect), "a connect takes {connect}");
        // Who the user is, which a cache knows the second time; whose rooms these are; how they
        // stand; and what was missed in all of them.
        for (asked, known) in [(5, CHANGES), (1, CHANGES - 1), (5, CHANGES - 1), (12, 0)] {
            let rooms = &rooms[..asked];
            let back = async |chat: &Chat| come_back(chat, &identity, rooms, known).await;
            let back = statements(&home, back).await;
            assert!((1..=4).contains(&back), "coming back to {asked} rooms takes {back}");
        }
        for limit in [1, 50] {
            let list = async |chat: &Chat| {
                let page = chat.conversations(&ada, None, Some(limit)).await.unwrap();
                assert_eq!(page.data.len(), limit);
            };
            assert!((1..=3).contains(&statements(&home, list).await), "a list of {limit}");
        }
        let page = async |chat: &Chat| {
            let page = chat.history(&ada, &HistoryRequest::latest(rooms[0])).await.unwrap();
            assert_eq!(page.data.len(), 2);
        };
        assert!((1..=2).contains(&statements(&home, page).await), "a page of history");
    }
}
