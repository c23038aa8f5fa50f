//! What is stored stays, whoever opens the file, and whatever becomes of callers and connections.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use chat_core::proto::{LoginSessionId, MessageBody, UserId};
use chat_core::store::{
    AccountStore, AppendOutcome, CursorKind, CursorStore, InboxStore, LoginSession,
    LoginSessionStore, MemberStore, MessageDraft, MessageStore, NewAccount, StoreError, UserStore,
};
use chat_store::SqliteStore;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{Connection, SqliteConnection, SqlitePool};

#[path = "support/people.rs"]
mod people;

use people::{BOUND, draft, history, new_user, plain_draft, room, send};

/// A folder for a database file, which goes away with it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("chat.db")
    }

    async fn open(&self) -> SqliteStore {
        let store = SqliteStore::open(self.path().to_str().unwrap()).await.unwrap();
        store.migrate().await.unwrap();
        store
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new().filename(self.path()).create_if_missing(true)
    }

    /// Somebody else who holds the lock for writing.
    async fn blocker(&self) -> SqliteConnection {
        let mut blocker = SqliteConnection::connect_with(&self.options()).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut blocker).await.unwrap();
        blocker
    }
}

async fn release(mut blocker: SqliteConnection) {
    sqlx::query("ROLLBACK").execute(&mut blocker).await.unwrap();
    blocker.close().await.unwrap();
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = Folder::new();
    let store = folder.open().await;
    let (room, ada) = room(&store).await;
    let account = NewAccount { user: new_user("bob"), password_hash: "hash".into() };
    store.create_account(account).await.unwrap();
    let bob: UserId = "bob".parse().unwrap();
    store.join(room, &bob, Timestamp::now(), 10).await.unwrap();
    for _ in 0..3 {
        send(&store, room, &ada).await;
    }
    store.advance(room, &bob, CursorKind::Read, Some(2)).await.unwrap();
    let session = LoginSession {
        id: LoginSessionId::generate(),
        user_id: bob.clone(),
        token_hash: [7; 32],
        user_agent: Some("test".into()),
        created_at: Timestamp::UNIX_EPOCH,
        last_used_at: Timestamp::UNIX_EPOCH,
        expires_at: Timestamp::UNIX_EPOCH,
    };
    store.insert_login_session(session.clone(), 5).await.unwrap();
    let (messages, changes) = (history(&store, room).await, store.changes(room, 0, 99).await);
    let summaries = store.summaries(&bob, None, 10).await.unwrap();
    store.close().await;
    assert!(store.append(vec![draft(room, &ada)]).await.is_err(), "a closed store is closed");

    let store = folder.open().await;
    assert_eq!(history(&store, room).await, messages);
    assert_eq!(store.changes(room, 0, 99).await.unwrap(), changes.unwrap());
    assert_eq!(store.summaries(&bob, None, 10).await.unwrap(), summaries);
    assert_eq!(store.login_session(&[7; 32]).await.unwrap(), Some(session));
    assert!(store.account_by_name("bob").await.unwrap().is_some());
    assert_eq!(send(&store, room, &ada).await.seq, 4);
}

#[tokio::test]
async fn a_file_of_before_the_trigger_goes_on_where_its_messages_end() {
    let folder = Folder::new();
    let store = folder.open().await;
    let (room, ada) = room(&store).await;
    for _ in 0..2 {
        send(&store, room, &ada).await;
    }
    store.close().await;
    let mut connection = SqliteConnection::connect_with(&folder.options()).await.unwrap();
    for statement in [
        "DROP TRIGGER chat_message_advances_head",
        "ALTER TABLE chat_head DROP COLUMN activity",
        "ALTER TABLE chat_message DROP COLUMN activity",
        "DELETE FROM chat_migration WHERE version IN (3, 8)",
        // One was stored that no head followed.
        "UPDATE chat_head SET last_seq = last_seq - 1, change_seq = change_seq - 1",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();

    let store = folder.open().await;
    let message = send(&store, room, &ada).await;
    assert_eq!((message.seq, message.change_seq), (3, 4));
    assert_eq!(history(&store, room).await.len(), 3);
}

#[tokio::test]
async fn a_store_that_was_not_closed_is_opened_again() {
    let folder = Folder::new();
    let abandoned = folder.open().await;
    let (room, ada) = room(&abandoned).await;
    let message = send(&abandoned, room, &ada).await;
    let store = folder.open().await;
    assert_eq!(history(&store, room).await, [message]);
    drop(abandoned);
    assert_eq!(send(&store, room, &ada).await.seq, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_file_keep_one_order() {
    let folder = Folder::new();
    let stores = [folder.open().await, folder.open().await];
    let (room, ada) = room(&stores[0]).await;
    let sends = stores.iter().cycle().take(50).map(|store| send(store, room, &ada));
    let sent = tokio::time::timeout(BOUND, futures_join_all(sends)).await.unwrap();
    let mut seqs: Vec<u64> = sent.iter().map(|message| message.seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=50).collect::<Vec<_>>());
    assert_eq!(history(&stores[0], room).await, history(&stores[1], room).await);
}

/// Drives all to their ends at once.
async fn futures_join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, output) in &mut futures {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(done) => *output = Some(done),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}

/// Polls a future that often, and then drops it.
async fn cancelled_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => {
                // Come again at once: how far the write has got by then is what differs.
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_append_leaves_the_writer_usable() {
    let folder = Folder::new();
    let store = folder.open().await;
    let (room, ada) = room(&store).await;
    let mut drafts = Vec::new();
    for polls in 0..200 {
        for draft in [draft(room, &ada), plain_draft(room, &ada)] {
            cancelled_after(polls, store.append(vec![draft.clone()])).await;
            drafts.push(draft);
        }
    }
    let last = tokio::time::timeout(BOUND, send(&store, room, &ada)).await.unwrap();
    let messages = history(&store, room).await;
    assert_eq!(messages.last(), Some(&last));
    let seqs: Vec<u64> = messages.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..=messages.len() as u64).collect::<Vec<_>>());
    // Who does not know what became of a message sends it again, and then it is there once.
    for outcome in store.append(drafts).await.unwrap() {
        match outcome {
            AppendOutcome::Stored(message) => assert!(message.seq > last.seq),
            AppendOutcome::Repeated(message) => assert!(messages.contains(&message)),
            AppendOutcome::NotMember => panic!("ada is a member"),
        }
    }
    assert_eq!(history(&store, room).await.len(), 401);
}

#[tokio::test]
async fn an_append_cancelled_while_it_waits_for_another_process_leaves_the_writer_usable() {
    for draft in [draft, plain_draft] {
        let folder = Folder::new();
        let store = folder.open().await;
        let (room, ada) = room(&store).await;
        let blocker = folder.blocker().await;
        // As long as the other holds the lock, neither can come to an end.
        let begun = store.append(vec![draft(room, &ada)]);
        assert!(tokio::time::timeout(Duration::from_millis(50), begun).await.is_err());
        let queued = store.append(vec![draft(room, &ada)]);
        assert!(tokio::time::timeout(Duration::from_millis(50), queued).await.is_err());
        release(blocker).await;
        let message = tokio::time::timeout(BOUND, send(&store, room, &ada)).await.unwrap();
        assert_eq!(message.seq, 2, "the one that had begun is stored, the one in the queue is not");
    }
}

#[tokio::test]
async fn reads_do_not_wait_for_who_writes() {
    let folder = Folder::new();
    let store = folder.open().await;
    let (room, ada) = room(&store).await;
    let message = send(&store, room, &ada).await;
    let blocker = folder.blocker().await;
    let writing = tokio::spawn({
        let (store, draft) = (store.clone(), draft(room, &ada));
        async move { store.append(vec![draft]).await }
    });
    let read = async {
        assert_eq!(history(&store, room).await, [message]);
        assert_eq!(store.summaries(&ada, None, 10).await.unwrap().len(), 1);
        assert!(store.ensure_user(new_user("ada")).await.is_ok(), "a known user is only read");
        store.advance(room, &ada, CursorKind::Read, Some(0)).await.unwrap();
    };
    tokio::time::timeout(BOUND, read).await.unwrap();
    assert!(!writing.is_finished());
    release(blocker).await;
    tokio::time::timeout(BOUND, writing).await.unwrap().unwrap().unwrap();
}

/// A pool of a host, with one setting of its own.
async fn host_pool(folder: &Folder, setting: (&'static str, &'static str)) -> SqlitePool {
    let options = folder.options().journal_mode(SqliteJournalMode::Wal);
    let options = options.busy_timeout(Duration::ZERO).pragma(setting.0, setting.1);
    SqlitePoolOptions::new().max_connections(3).connect_with(options).await.unwrap()
}

#[tokio::test]
async fn a_locked_database_is_not_available_until_it_is_released() {
    let folder = Folder::new();
    let store = SqliteStore::from_pool(host_pool(&folder, ("cache_size", "100")).await);
    store.migrate().await.unwrap();
    let (room, ada) = room(&store).await;
    let blocker = folder.blocker().await;
    for draft in [draft, plain_draft, draft, plain_draft] {
        let refused = store.append(vec![draft(room, &ada)]).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    release(blocker).await;
    assert_eq!(send(&store, room, &ada).await.seq, 1);
}

#[tokio::test]
async fn a_full_database_refuses_writes_and_can_still_be_read() {
    let folder = Folder::new();
    let store = SqliteStore::from_pool(host_pool(&folder, ("max_page_count", "60")).await);
    store.migrate().await.unwrap();
    let (room, ada) = room(&store).await;
    let large = |letters: usize, count: usize| {
        let content = MessageBody::parse("x".repeat(letters), letters).unwrap();
        let draft = || MessageDraft { content: content.clone(), ..plain_draft(room, &ada) };
        std::iter::repeat_with(draft).take(count).collect::<Vec<_>>()
    };
    let before = send(&store, room, &ada).await;
    for drafts in [large(4_000, 100), large(400_000, 1), large(4_000, 100), large(400_000, 1)] {
        let refused = store.append(drafts).await;
        assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    }
    assert_eq!(history(&store, room).await, [before]);
    let after = send(&store, room, &ada).await;
    assert_eq!((after.seq, after.change_seq), (2, 3), "what was refused took no number");
}

#[tokio::test]
async fn a_host_shares_its_pool_and_its_file() {
    let folder = Folder::new();
    let pool = host_pool(&folder, ("synchronous", "FULL")).await;
    for statement in [
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL)",
        "INSERT INTO _sqlx_migrations VALUES (20240101, 'of the host')",
        "CREATE TABLE users (id INTEGER PRIMARY KEY)",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    let store = SqliteStore::from_pool(pool.clone());
    store.migrate().await.unwrap();
    let (room, ada) = room(&store).await;
    send(&store, room, &ada).await;
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB ?1
                  AND name NOT IN ('users', '_sqlx_migrations')";
    let foreign: i64 = sqlx::query_scalar(tables).bind("chat_*").fetch_one(&pool).await.unwrap();
    assert_eq!(foreign, 0, "every table of chat says so in its name");
    let hosts: i64 =
        sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations").fetch_one(&pool).await.unwrap();
    assert_eq!(hosts, 1);
}

#[test]
fn a_store_may_outlive_its_runtime() {
    let folder = Folder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (store, room) = runtime.block_on(async {
        let store = folder.open().await;
        let (room, ada) = room(&store).await;
        send(&store, room, &ada).await;
        (store, room)
    });
    drop(runtime);
    drop(store);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        assert_eq!(history(&folder.open().await, room).await.len(), 1);
    });
}
