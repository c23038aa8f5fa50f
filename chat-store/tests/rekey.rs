//! A database whose names have keys by older rules: they are made anew, and nobody is locked out.

#![allow(clippy::unwrap_used, reason = "tests may")]

#[path = "support/databases.rs"]
mod databases;

use std::collections::BTreeMap;

use chat_core::proto::{DisplayName, RoomName, Username, fold};
use chat_core::store::{
    AccountStore, ConversationStore, EnsureUser, NewUser, UserStore, account_named, user_named,
};
use chat_store::{PostgresStore, SqliteStore};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

/// Users as the version before recorded them: id, name, key, skeleton, name to show, its key, and when.
const USERS: [(&str, &str, &str, &str, &str, &str, i64); 11] = [
    ("u01", "STRASSE", "strasse", "strasse", "Street", "street", 200),
    ("u02", "Straße", "straße", "straße", "Die Straße", "die straße", 100),
    ("u03", "οδος", "οδος", "odos", "ΟΔΟΣ", "οδος", 100),
    ("u04", "BILL", "bill", "blll", "Bill", "bill", 100),
    ("u05", "bi11", "bi11", "bill", "bi11", "bi11", 200),
    ("u06", "x.", "x.", "x.", "x.", "x.", 100),
    ("u07", "@@@", "@@@", "@@@", "@@@", "@@@", 100),
    ("u08", "ada", "ada", "ada", "Ada\u{200B}", "ada\u{200B}", 100),
    // The key of this one is what the next needs, and it needs another.
    ("u09", "ßa", "ßa", "ßa", "one", "one", 300),
    ("u10", "ẞA", "ssa", "ssa", "two", "two", 400),
    ("u11", "SSA", "ssa2", "ssa2", "three", "three", 500),
];

const ROOMS: [(&str, &str, &str, i64); 3] = [
    ("00000000-0000-7000-8000-000000000001", "Cafe\u{301}", "cafe\u{301}", 200),
    ("00000000-0000-7000-8000-000000000002", "Caf\u{e9}", "caf\u{e9}", 100),
    ("00000000-0000-7000-8000-000000000003", "ΟΔΟΣ", "οδος", 100),
];

/// What makes of a new database one of the version before.
fn older(uuid: impl Fn(&str) -> String) -> Vec<String> {
    let mut statements: Vec<String> =
        vec!["DELETE FROM chat_key_version".into(), "DELETE FROM chat_user_skeleton".into()];
    for (id, name, key, skeleton, shown, shown_key, at) in USERS {
        statements.push(format!(
            "INSERT INTO chat_user
               (id, username, username_key, skeleton, display_name, display_key, created_at)
             VALUES ('{id}', '{name}', '{key}', '{skeleton}', '{shown}', '{shown_key}', {at})"
        ));
        statements.push(format!(
            "INSERT INTO chat_account (user_id, password_hash) VALUES ('{id}', 'h')"
        ));
    }
    for (id, name, key, at) in ROOMS {
        let id = uuid(id);
        statements.push(format!(
            "INSERT INTO chat_conversation
               (id, kind, visibility, name, name_key, created_by, created_at)
             VALUES ({id}, 'room', 'public', '{name}', '{key}', 'u01', {at})"
        ));
        statements.push(format!(
            "INSERT INTO chat_head
               (conversation_id, last_seq, change_seq, member_count, last_activity_at)
             VALUES ({id}, 0, 0, 0, {at})"
        ));
    }
    statements
}

async fn id_of(store: &(impl UserStore + AccountStore), name: &str) -> Option<String> {
    let name = Username::sought(name).unwrap();
    let user = user_named(store, &name).await.unwrap().map(|user| user.id.to_string());
    let account = account_named(store, &name).await.unwrap();
    assert_eq!(account.map(|account| account.user.id.to_string()), user, "{name}");
    user
}

/// What everybody is found by after the walk.
async fn check(store: &(impl UserStore + AccountStore + ConversationStore)) {
    for (name, id) in [
        // The older one has the key, the later one the name as it is written.
        ("straße", "u02"),
        ("Strasse", "u02"),
        ("Straße", "u02"),
        ("STRASSE", "u01"),
        ("ΟΔΟΣ", "u03"),
        ("οδοσ", "u03"),
        ("Bill", "u04"),
        ("BI11", "u05"),
        ("x.", "u06"),
        ("@@@", "u07"),
        ("ADA", "u08"),
        ("SSa", "u09"),
        ("ẞA", "u10"),
        ("SSA", "u11"),
    ] {
        assert_eq!(id_of(store, name).await.as_deref(), Some(id), "{name}");
    }
    for (query, ids) in [
        ("straße", vec!["u02", "u01"]),
        ("DIE STRASSE", vec!["u02"]),
        ("ΟΔΟΣ", vec!["u03"]),
        ("οδος", vec!["u03"]),
    ] {
        let found = store.search_users(&fold(query), 9).await.unwrap();
        assert_eq!(found.iter().map(|user| user.id.as_str()).collect::<Vec<_>>(), ids, "{query}");
    }
    for (name, id) in [("CAFÉ", ROOMS[1].0), ("cafe\u{301}", ROOMS[1].0), ("οδοσ", ROOMS[2].0)]
    {
        let key = RoomName::parse(name).unwrap().key();
        let room = store.room_by_name(&key).await.unwrap().unwrap();
        assert_eq!(room.id.to_string(), id, "{name}");
    }
    let shown = |username: &str, display_name: &str| NewUser {
        id: "new".parse().unwrap(),
        username: Username::parse(username).unwrap(),
        display_name: DisplayName::parse(display_name).unwrap(),
        created_at: Timestamp::now(),
    };
    for taken in ["bill", "B1LL", "Strasse", "0δος", "οδοσ"] {
        let Ok(username) = Username::parse(taken) else { continue };
        let new = NewUser { username, ..shown("new", "New") };
        assert_eq!(store.ensure_user(new).await.unwrap(), EnsureUser::UsernameTaken, "{taken}");
    }
    let new = shown("new", "bi11");
    assert_eq!(store.ensure_user(new).await.unwrap(), EnsureUser::DisplayNameTaken);
}

/// All keys, by user.
type AllKeys = BTreeMap<String, (String, String)>;

#[tokio::test]
async fn sqlite_makes_older_keys_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store = SqliteStore::open(path.to_str().unwrap()).await.unwrap();
    store.migrate().await.unwrap();
    let mut connection =
        SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    for statement in older(|id| format!("x'{}'", id.replace('-', ""))) {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    let mut seen: Option<AllKeys> = None;
    for forget in ["SELECT 1", "DELETE FROM chat_key_version"] {
        sqlx::raw_sql(forget).execute(&mut connection).await.unwrap();
        store.migrate().await.unwrap();
        check(&store).await;
        let rows = sqlx::query("SELECT id, username_key, display_key FROM chat_user")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let keys: AllKeys = rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        assert_eq!(*seen.get_or_insert(keys.clone()), keys, "walking twice is walking once");
    }
}

#[tokio::test]
async fn postgres_makes_older_keys_anew() {
    let url = databases::database().url;
    let store: PostgresStore = databases::migrated(&url, databases::few_connections()).await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for statement in older(|id| format!("'{id}'")) {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    let mut seen: Option<AllKeys> = None;
    for forget in ["SELECT 1", "DELETE FROM chat_key_version"] {
        sqlx::raw_sql(forget).execute(&mut connection).await.unwrap();
        // Several nodes start at once.
        let outcomes = futures::future::join_all([store.migrate(), store.migrate()]).await;
        outcomes.into_iter().for_each(Result::unwrap);
        check(&store).await;
        let rows = sqlx::query("SELECT id, username_key, display_key FROM chat_user")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let keys: AllKeys = rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        assert_eq!(*seen.get_or_insert(keys.clone()), keys, "walking twice is walking once");
    }
    store.close().await;
}

/// A node of the version before serves beside the one that walked, and records a user by its rules.
#[tokio::test]
async fn what_an_older_node_records_meanwhile_is_found_at_the_next_start() {
    let url = databases::database().url;
    let store = databases::migrated(&url, databases::few_connections()).await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let forget = "DELETE FROM chat_key_version";
    sqlx::raw_sql(forget).execute(&mut connection).await.unwrap();
    store.migrate().await.unwrap();
    let now = Timestamp::now().as_microsecond();
    let insert = format!(
        "INSERT INTO chat_user
           (id, username, username_key, skeleton, display_name, display_key, created_at)
         VALUES ('u1', 'Straße', 'straße', 'straße', 'One', 'one', {now})"
    );
    sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut connection).await.unwrap();
    let insert = "INSERT INTO chat_account (user_id, password_hash) VALUES ('u1', 'h')";
    sqlx::raw_sql(insert).execute(&mut connection).await.unwrap();
    assert_eq!(id_of(&store, "straße").await, None);
    store.migrate().await.unwrap();
    assert_eq!(id_of(&store, "STRASSE").await.as_deref(), Some("u1"));
    store.close().await;
}
