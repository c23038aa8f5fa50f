//! The number of statements does not depend on how much there is to do, and is small. Those that
//! begin and end a transaction count.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use chat_core::proto::{ConversationId, UserId};
use chat_core::store::{CursorKind, Known, MessageDraft, Store};
use chat_store::{PostgresStore, SqliteStore};
use chat_test_servers::Postgres;
use tokio::sync::Mutex;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[path = "support/databases.rs"]
mod databases;
#[path = "support/people.rs"]
mod people;

use people::{draft, made, plain_draft, user};

/// A database that counts.
trait Counted {
    /// How many statements some work takes.
    async fn statements(&self, work: impl AsyncFn(&dyn Store)) -> usize;
}

/// Held by a test while it counts: drivers report what every test in this process does.
static COUNTING: Mutex<()> = Mutex::const_new(());

/// Statements since the last look, as the driver of SQLite reports each of them.
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

struct SqliteFile(PathBuf);

impl Counted for SqliteFile {
    /// Beside those of opening and closing. A statement is reported a moment after its last row, so
    /// the store must be closed before they are counted. The driver does not report how it begins
    /// and ends transactions; see [`IN_ADDITION`].
    async fn statements(&self, work: impl AsyncFn(&dyn Store)) -> usize {
        let mut counts = [0; 2];
        for (count, works) in counts.iter_mut().zip([false, true]) {
            let before = STATEMENTS.load(Ordering::SeqCst);
            let store = SqliteStore::open(self.0.to_str().unwrap()).await.unwrap();
            if works {
                work(&store).await;
            }
            store.close().await;
            *count = STATEMENTS.load(Ordering::SeqCst) - before;
        }
        counts[1] - counts[0]
    }
}

/// What SQLite's driver does without a word for every write: `BEGIN IMMEDIATE` and `COMMIT`.
const IN_ADDITION: usize = 2;

/// A server that writes down every statement.
struct LoggingPostgres {
    server: Postgres,
    database: String,
    store: PostgresStore,
}

impl LoggingPostgres {
    async fn start() -> Self {
        let server = Postgres::builder()
            .setting("fsync", "off")
            .setting("log_statement", "all")
            .setting("log_line_prefix", "%d|")
            .start()
            .unwrap();
        let database = server.create_database().unwrap();
        let store = databases::migrated(&database.url, databases::few_connections()).await;
        Self { server, database: database.name, store }
    }

    /// Each is written down before it is executed, on a line with the name of the database.
    fn logged(&self) -> usize {
        let log = std::fs::read_to_string(self.server.folder().join("log")).unwrap();
        let kinds = ["statement:", "execute "];
        let begins = kinds.map(|kind| format!("{}|LOG:  {kind}", self.database));
        let counts = |line: &&str| begins.iter().any(|begin| line.starts_with(begin));
        log.lines().filter(counts).count()
    }
}

impl Counted for LoggingPostgres {
    async fn statements(&self, work: impl AsyncFn(&dyn Store)) -> usize {
        let before = self.logged();
        work(&self.store).await;
        self.logged() - before
    }
}

async fn fifty_rooms(store: &dyn Store) -> (Vec<ConversationId>, UserId) {
    let ada = user(store, "ada").await;
    let mut rooms = Vec::new();
    for _ in 0..50 {
        rooms.push(made(store, &ada).await);
    }
    (rooms, ada)
}

/// What is asked of both databases, of which one begins and ends transactions unseen.
async fn assert_bounds(counted: &impl Counted, store: &dyn Store, unseen: usize) {
    let (rooms, ada) = fifty_rooms(store).await;
    let drafts = |count| -> Vec<MessageDraft> {
        rooms.iter().cycle().take(count).map(|room| draft(*room, &ada)).collect()
    };
    let append = async |drafts: &[MessageDraft]| {
        let send = async |store: &dyn Store| drop(store.append(drafts.to_vec()).await.unwrap());
        counted.statements(send).await + unseen
    };
    let one = append(&drafts(1)).await;
    assert!((1 + unseen..=6).contains(&one), "{one}");
    let batch = drafts(1_024);
    assert_eq!(append(&batch).await, one);
    assert!(append(&batch).await <= 4, "repeats are found by the check alone");

    for limit in [1, 50] {
        let list = async |store: &dyn Store| {
            assert_eq!(store.summaries(&ada, None, limit).await.unwrap().len(), limit);
        };
        assert!(counted.statements(list).await <= 3);
        let overview = async |store: &dyn Store| {
            assert_eq!(store.overview(&ada, limit).await.unwrap().summaries.len(), limit);
        };
        assert_eq!(counted.statements(overview).await, 1);
        let users = vec![ada.clone(); limit];
        let circles = async |store: &dyn Store| {
            assert_eq!(store.circles(&users, 100, 100).await.unwrap().len(), limit);
        };
        assert_eq!(counted.statements(circles).await, 1);
        let overviews = async |store: &dyn Store| {
            assert_eq!(store.overviews(&users, 50).await.unwrap().len(), limit);
        };
        assert_eq!(counted.statements(overviews).await, 1);
        let changes = rooms.iter().map(|room| (*room, 1)).collect();
        let questions = vec![Known { user_id: ada.clone(), changes }; limit];
        let missed = async |store: &dyn Store| {
            let missed = store.missed(&questions, 100, 64).await.unwrap();
            assert!(missed.iter().all(|missed| missed.len() == rooms.len()));
        };
        assert_eq!(counted.statements(missed).await, 1);
        let changes = async |store: &dyn Store| {
            assert!(store.changes(rooms[0], 0, limit).await.unwrap().events.len() <= limit);
        };
        assert_eq!(counted.statements(changes).await, 1);
        let right = async |store: &dyn Store| {
            assert_eq!(store.visible_head(rooms[0], &ada).await.unwrap().unwrap().last_seq, 22);
        };
        let page = async |store: &dyn Store| {
            let messages = store.messages(rooms[0], 1..=limit as u64).await.unwrap();
            assert_eq!(messages.len(), limit.min(22));
        };
        assert_eq!(counted.statements(right).await + counted.statements(page).await, 2);
    }
    let counts = async |store: &dyn Store| {
        assert_eq!(store.unread_total(&ada).await.unwrap().unread, 0);
    };
    assert_eq!(counted.statements(counts).await, 1);
    let heads = async |store: &dyn Store| {
        assert_eq!(store.heads(&rooms).await.unwrap().len(), rooms.len());
    };
    assert_eq!(counted.statements(heads).await, 1);
    let read = async |store: &dyn Store| {
        store.advance(rooms[0], &ada, CursorKind::Read, None).await.unwrap().unwrap();
    };
    let moved = counted.statements(read).await + unseen;
    assert!((1..=6).contains(&moved), "{moved}");
    assert!(counted.statements(read).await <= 2, "a cursor that stays is only read");
}

#[tokio::test]
async fn sqlite_takes_a_constant_number_of_statements() {
    let _alone = COUNTING.lock().await;
    tracing::subscriber::set_global_default(CountStatements).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteFile(folder.path().join("chat.db"));
    let store = SqliteStore::open(file.0.to_str().unwrap()).await.unwrap();
    store.migrate().await.unwrap();
    assert_bounds(&file, &store, IN_ADDITION).await;
    let (rooms, ada) = fifty_rooms(&store).await;
    let drafts = [plain_draft(rooms[0], &ada)];
    let alone = async |store: &dyn Store| drop(store.append(drafts.to_vec()).await.unwrap());
    assert_eq!(file.statements(alone).await, 1, "a message that comes alone");
    assert_eq!(file.statements(alone).await, 2, "and that is repeated");
}

#[tokio::test]
async fn postgres_takes_a_constant_number_of_statements() {
    let _alone = COUNTING.lock().await;
    let postgres = LoggingPostgres::start().await;
    assert_bounds(&postgres, &postgres.store, 0).await;
    let ping = async |store: &dyn Store| drop(store.user(&"eve".parse().unwrap()).await.unwrap());
    assert_eq!(postgres.statements(ping).await, 1, "a read needs no transaction");
}
