//! Opening a database: what works, and what is told when it does not.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::path::Path;

use chat_core::store::UserStore;
use chat_store::{OpenError, SqliteStore};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

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
        "DROP TABLE chat_user_skeleton",
        "DROP TABLE chat_key_version",
        "DELETE FROM chat_migration WHERE version > 3",
    ] {
        sqlx::query(undone).execute(&mut earlier).await.unwrap();
    }
    let store = open(&path).await.unwrap();
    let pending = store.pending_migrations().await.unwrap();
    assert_eq!(pending.iter().map(|one| one.version).collect::<Vec<_>>(), [4, 5, 7]);
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
