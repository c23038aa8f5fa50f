//! A database file that is not as it was written.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::error::Error;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use chat_core::proto::{RoomName, Visibility};
use chat_core::store::{ConversationStore, NewRoom, ProbeStore, UserStore};
use chat_store::{OpenError, SqliteStore};
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

#[path = "support/people.rs"]
mod people;

async fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path.to_str().unwrap()).await
}

/// A database with a room, all of it in the file.
async fn made(path: &Path) -> chat_core::proto::Conversation {
    let store = open(path).await.unwrap();
    store.migrate().await.unwrap();
    let ada = people::user(&store, "ada").await;
    let room = NewRoom {
        id: chat_core::proto::ConversationId::generate(),
        name: RoomName::parse("general").unwrap(),
        topic: None,
        visibility: Visibility::Public,
        owner: ada,
        created_at: Timestamp::UNIX_EPOCH,
        max_memberships: usize::MAX,
    };
    let room = store.create_room(room).await.unwrap().conversation().unwrap();
    store.close().await;
    room
}

async fn change(path: &Path, statements: &[&'static str]) {
    let options = SqliteConnectOptions::new().filename(path).foreign_keys(false);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for statement in statements {
        sqlx::raw_sql(*statement).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// All that an operator is told.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn a_probe_fails_where_reads_fail() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let room = made(&path).await;
    let store = open(&path).await.unwrap();
    store.probe().await.unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    // All but the first page, which every transaction looks at.
    let garbage = vec![0xA5; usize::try_from(length).unwrap() - 4096];
    file.write_all_at(&garbage, 4096).unwrap();
    store.conversation(room.id).await.expect_err("what people read is damaged");
    store.user(&room.created_by).await.expect_err("what people read is damaged");
    store.probe().await.expect_err("the probe says so");
}

#[tokio::test]
async fn a_damaged_schema_is_told_without_sql() {
    for (statements, what) in [
        (&["DROP TABLE chat_mention"][..], "it has no table chat_mention"),
        (&["DROP INDEX chat_message_client"], "it has no index chat_message_client"),
        (
            &["DROP TRIGGER chat_message_advances_head"],
            "it has no trigger chat_message_advances_head",
        ),
        (
            &["ALTER TABLE chat_message DROP COLUMN mentions"],
            "it has no column chat_message.mentions",
        ),
        (&["DROP TABLE chat_migration"], "it has no table chat_migration"),
        (
            &["PRAGMA writable_schema = ON; UPDATE sqlite_schema
               SET sql = replace(sql, 'change_seq', 'change seq x y(') WHERE name = 'chat_head'"],
            "malformed database schema",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.db");
        made(&path).await;
        change(&path, statements).await;
        let error = open(&path).await.expect_err(what);
        assert!(matches!(error, OpenError::Damaged { .. }), "{what}: {error:?}");
        let told = told(&error);
        assert!(told.contains(what) && told.contains("restore a backup"), "{told}");
        for sql in ["CREATE", "SELECT", "near", "syntax"] {
            assert!(!told.contains(sql), "{told}");
        }
    }
}

#[tokio::test]
async fn what_a_host_adds_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let room = made(&path).await;
    change(
        &path,
        &["CREATE TABLE host (id); ALTER TABLE chat_user ADD COLUMN host_note TEXT;
           CREATE INDEX host_index ON chat_user (host_note)"],
    )
    .await;
    let store = open(&path).await.unwrap();
    store.migrate().await.unwrap();
    assert_eq!(store.conversation(room.id).await.unwrap(), Some(room));
    store.probe().await.unwrap();
}
