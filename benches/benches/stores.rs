//! SQLite beside Postgres, batches beside batches of one, cached beside not: each comparison in
//! turns, in one run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_benches::{Databases, Room, SideBySide, one_by_one, runtime};
use chat_core::auth::UserClaims;
use chat_core::proto::{CreateRoom, HistoryRequest, MessageSend};
use chat_core::store::Store;
use chat_core::{Actor, Chat, ChatConfig};
use futures::future::join_all;
use tokio::runtime::Runtime;

/// How much is done. Without `--bench`, as in tests, just enough to see that it works.
#[derive(Debug, Clone, Copy)]
struct Amounts {
    rounds: usize,
    round: Duration,
    messages: usize,
    conversations: usize,
}

fn main() {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let amounts = if measures {
        let round = Duration::from_millis(500);
        Amounts { rounds: 9, round, messages: 20_000, conversations: 1_000 }
    } else {
        Amounts { rounds: 1, round: Duration::ZERO, messages: 100, conversations: 30 }
    };
    let runtime = runtime();
    let databases = Databases::start();
    for senders in [1, 64] {
        sends(&runtime, &databases, senders, amounts);
    }
    history(&runtime, &databases, amounts);
    list(&runtime, &databases, amounts);
}

fn sends(runtime: &Runtime, databases: &Databases, senders: usize, amounts: Amounts) {
    let room = |store: Arc<dyn Store>| runtime.block_on(Room::with_devices(store, 0));
    let sqlite = runtime.block_on(databases.sqlite(&format!("sends-{senders}.db")));
    let postgres = runtime.block_on(databases.postgres());
    let rooms = [
        ("Postgres, batches of one", room(one_by_one(postgres.clone()))),
        ("Postgres", room(postgres)),
        ("SQLite, batches of one", room(one_by_one(sqlite.clone()))),
        ("SQLite", room(sqlite)),
    ];
    let mut comparison = SideBySide::new(format!("durable sends, {senders} senders at once"));
    for (name, room) in &rooms {
        comparison = comparison.way(*name, async || {
            let end = Instant::now() + amounts.round;
            let sender = async || repeat_until(end, || room.send()).await;
            join_all((0..senders).map(|_| sender())).await.concat()
        });
    }
    comparison.run(runtime, amounts.rounds);
}

fn history(runtime: &Runtime, databases: &Databases, amounts: Amounts) {
    let fill = async |store: Arc<dyn Store>| {
        let room = Room::with_devices(store, 0).await;
        for _ in 0..amounts.messages / 100 {
            join_all((0..100).map(|_| room.send())).await;
        }
        room
    };
    let rooms = [
        ("SQLite", runtime.block_on(async { fill(databases.sqlite("history.db").await).await })),
        ("Postgres", runtime.block_on(async { fill(databases.postgres().await).await })),
    ];
    let title = format!("a page of 50 of {} messages", amounts.messages);
    let mut comparison = SideBySide::new(title);
    let before = Some(amounts.messages as u64 / 2);
    for (name, room) in &rooms {
        comparison = comparison.way(*name, async || {
            let request = HistoryRequest { before, ..HistoryRequest::latest(room.id) };
            let page =
                async || drop(room.chat.history(&room.owner, &request).await.expect("a page"));
            repeat_until(Instant::now() + amounts.round, page).await
        });
    }
    comparison.run(runtime, amounts.rounds);
}

fn list(runtime: &Runtime, databases: &Databases, amounts: Amounts) {
    let sqlite = runtime.block_on(databases.sqlite("list.db"));
    let postgres = runtime.block_on(databases.postgres());
    let mut actor = None;
    for store in [&sqlite, &postgres] {
        actor = Some(runtime.block_on(conversations(store.clone(), amounts.conversations)));
    }
    let actor = actor.expect("there are databases");
    let engine = |store: &Arc<dyn Store>, cached: bool| {
        let _context = runtime.enter();
        let builder = Chat::builder(store.clone());
        if cached { builder.build() } else { builder.uncached().build() }
    };
    let engines = [
        ("SQLite, not cached", engine(&sqlite, false)),
        ("SQLite, cached", engine(&sqlite, true)),
        ("Postgres, not cached", engine(&postgres, false)),
        ("Postgres, cached", engine(&postgres, true)),
    ];
    let title = format!("the first page of a list of {} conversations", amounts.conversations);
    let mut comparison = SideBySide::new(title);
    for (name, chat) in &engines {
        comparison = comparison.way(*name, async || {
            let page =
                async || drop(chat.conversations(&actor, None, Some(50)).await.expect("a list"));
            repeat_until(Instant::now() + amounts.round, page).await
        });
    }
    comparison.run(runtime, amounts.rounds);
}

/// Somebody with so many conversations, each with a message in it.
async fn conversations(store: Arc<dyn Store>, count: usize) -> Actor {
    let mut config = ChatConfig::default();
    config.limits = config.limits.without_rates();
    config.limits.memberships_per_user = count.max(config.limits.memberships_per_user);
    let chat = Chat::builder(store).config(config).build();
    let owner = chat.admit(&UserClaims::of("owner".parse().expect("an id"))).await.expect("a user");
    let owner = Actor::user(owner.id);
    for number in 0..count {
        let room = serde_json::json!({"name": format!("room {number}")});
        let room: CreateRoom = serde_json::from_value(room).expect("a room");
        let room = chat.create_room(&owner, room).await.expect("a room");
        let message = MessageSend {
            conversation_id: room.conversation_id,
            client_id: None,
            content: chat_benches::TEXT.into(),
        };
        chat.send(&owner, message).await.expect("stored");
    }
    chat.shutdown().await;
    owner
}

/// Does something again and again, at least once, and says how long each time took.
async fn repeat_until<F: Future<Output = ()>>(end: Instant, work: impl Fn() -> F) -> Vec<Duration> {
    let mut durations = Vec::new();
    loop {
        let began = Instant::now();
        work().await;
        durations.push(began.elapsed());
        if Instant::now() >= end {
            return durations;
        }
    }
}
