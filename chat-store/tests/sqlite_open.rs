//! Opening a database: what works, and what is told when it does not.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::path::Path;

use chat_core::store::{ConversationStore, InboxPosition, InboxStore, NewRoom, UserStore};
use chat_store::{OpenError, SqliteStore};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

#[path = "support/people.rs"]
mod people;

async fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path.to_str().unwrap()).await
}

async fn refusal(location: &str) -> OpenError {
    SqliteStore::open(location).await.expect_err(location)
}

#[tokio::test]
async fn a_path_and_a_url_name_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat 1%.db");
    open(&path).await.unwrap().migrate().await.unwrap();
    let path = path.to_str().unwrap().replace('%', "%25");
    for url in [format!("sqlite:{path}"), format!("sqlite://{path}")] {
        let store = SqliteStore::open(&url).await.unwrap();
        assert!(store.user(&"ada".parse().unwrap()).await.unwrap().is_none());
    }
    assert_eq!(
        std::fs::read_dir(folder.path())
            .unwrap()
            .filter(|file| file.as_ref().is_ok_and(|file| {
                file.path().extension().is_some_and(|extension| extension == "db")
            }))
            .count(),
        1
    );
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_for_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing/chat.db");
    let error = open(&missing).await.expect_err("there is no such folder");
    assert!(matches!(error, OpenError::CannotOpen { .. }), "{error:?}");
    assert!(error.to_string().contains("missing"));
    assert!(matches!(open(folder.path()).await, Err(OpenError::CannotOpen { .. })));

    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "this is no database, however long the text may be ".repeat(100))
        .unwrap();
    assert!(matches!(open(&text).await, Err(OpenError::NotADatabase { .. })));

    for location in ["", ":memory:", "sqlite::memory:", "sqlite:x?mode=memory"] {
        assert!(matches!(refusal(location).await, OpenError::InMemory), "{location}");
    }
    assert!(matches!(refusal("sqlite:x?mode=what").await, OpenError::Location { .. }));
}

#[tokio::test]
async fn a_file_that_may_only_be_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    SqliteConnection::connect_with(
        &SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .pragma("user_version", "1"),
    )
    .await
    .unwrap()
    .close()
    .await
    .unwrap();
    let error = refusal(&format!("sqlite:{}?mode=ro", path.display())).await;
    assert!(matches!(error, OpenError::ReadOnly { .. }), "{error:?}");
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store = open(&path).await.unwrap();
    store.migrate().await.unwrap();
    store.migrate().await.unwrap();
    open(&path).await.unwrap().migrate().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_may_open_and_migrate_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            tokio::spawn(async move { open(&path).await.unwrap().migrate().await })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_database_of_an_earlier_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store = open(&path).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
    let options = SqliteConnectOptions::new().filename(&path);
    let mut earlier = SqliteConnection::connect_with(&options).await.unwrap();
    for undone in [
        "CREATE UNIQUE INDEX chat_message_change ON chat_message (conversation_id, change_seq)",
        "DROP INDEX chat_message_client",
        "CREATE UNIQUE INDEX chat_message_client
           ON chat_message (conversation_id, sender_id, client_id)",
        "DROP TABLE chat_promotion",
        "DROP TABLE chat_visit",
        "DROP TABLE chat_node",
        "ALTER TABLE chat_user DROP COLUMN presence",
        "DROP TABLE chat_user_skeleton",
        "DROP TABLE chat_key_version",
        "DROP TRIGGER chat_message_advances_head",
        "ALTER TABLE chat_head DROP COLUMN activity",
        "ALTER TABLE chat_message DROP COLUMN activity",
        include_str!("../migrations/sqlite/0003_head_follows.sql"),
        "DELETE FROM chat_migration WHERE version > 3",
    ] {
        sqlx::raw_sql(undone).execute(&mut earlier).await.unwrap();
    }
    let store = open(&path).await.unwrap();
    let pending = store.pending_migrations().await.unwrap();
    assert_eq!(pending.iter().map(|one| one.version).collect::<Vec<_>>(), [4, 5, 6, 7, 8, 10]);
    store.migrate().await.unwrap();
    assert!(store.pending_migrations().await.unwrap().is_empty());
    let index = "SELECT 1 FROM sqlite_schema WHERE name = 'chat_message_change'";
    assert!(sqlx::query(index).fetch_optional(&mut earlier).await.unwrap().is_none());
    let index = "SELECT sql FROM sqlite_schema WHERE name = 'chat_message_client'";
    let is: String = sqlx::query_scalar(index).fetch_one(&mut earlier).await.unwrap();
    assert!(is.contains("(client_id, conversation_id, sender_id)"), "{is}");
}

#[tokio::test]
async fn a_database_of_a_later_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store = open(&path).await.unwrap();
    store.migrate().await.unwrap();
    let options = SqliteConnectOptions::new().filename(&path);
    let mut later = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query(
        "INSERT INTO chat_migration (version, description, success, checksum, execution_time)
         VALUES (999, 'later', TRUE, x'00', 0)",
    )
    .execute(&mut later)
    .await
    .unwrap();
    for error in [open(&path).await.unwrap_err(), store.migrate().await.unwrap_err()] {
        assert!(matches!(error, OpenError::NewerSchema { found: 999, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn conversations_of_an_earlier_version_come_last_in_the_order_of_their_times() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store = open(&path).await.unwrap();
    store.migrate().await.unwrap();
    let ada = people::user(&store, "ada").await;
    let mut rooms = Vec::new();
    for second in [30, 10, 20, 40] {
        let created_at = jiff::Timestamp::from_second(second).unwrap();
        let room = NewRoom { created_at, ..people::new_room(&ada) };
        rooms.push(store.create_room(room).await.unwrap().conversation().unwrap().id);
    }
    store.close().await;
    let options = SqliteConnectOptions::new().filename(&path);
    let mut earlier = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("UPDATE chat_head SET activity = 0").execute(&mut earlier).await.unwrap();
    earlier.close().await.unwrap();
    let store = open(&path).await.unwrap();
    let pages = async || {
        let (mut listed, mut after) = (Vec::new(), None);
        while let Some(one) = store.summaries(&ada, after, 1).await.unwrap().pop() {
            after = Some(InboxPosition::of(&one));
            listed.push(one.conversation_id);
        }
        listed
    };
    assert_eq!(pages().await, [rooms[3], rooms[0], rooms[2], rooms[1]]);
    people::send(&store, rooms[1], &ada).await;
    people::send(&store, rooms[2], &ada).await;
    assert_eq!(pages().await, [rooms[2], rooms[1], rooms[3], rooms[0]]);
}

#[tokio::test]
async fn activity_goes_on_after_what_was_stored_whatever_the_clock_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store = open(&path).await.unwrap();
    store.migrate().await.unwrap();
    let ((one, ada), (other, _)) = (people::room(&store).await, people::room(&store).await);
    people::send(&store, one, &ada).await;
    store.close().await;
    // As if that had been stored while the clock was a century ahead.
    let options = SqliteConnectOptions::new().filename(&path);
    let mut ahead = SqliteConnection::connect_with(&options).await.unwrap();
    let statement =
        "UPDATE chat_head SET activity = activity + 3155760000000000 WHERE last_seq = 1";
    sqlx::query(statement).execute(&mut ahead).await.unwrap();
    ahead.close().await.unwrap();
    let store = open(&path).await.unwrap();
    people::send(&store, other, &ada).await;
    let list = store.summaries(&ada, None, 9).await.unwrap();
    assert_eq!(list.iter().map(|one| one.conversation_id).collect::<Vec<_>>(), [other, one]);
}
