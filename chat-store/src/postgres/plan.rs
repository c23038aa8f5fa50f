//! Tests: statements that are frequent, or that meet large tables, go through indexes.

use chat_test_servers::Postgres;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio::sync::OnceCell;

use super::{
    PostgresConfig, PostgresStore, account, append, changes, conversation, cursor, inbox, login,
    member, message, missed, user,
};

/// Enough of everything that the planner can tell a good way from a bad one.
const CONTENTS: [&str; 11] = [
    "INSERT INTO chat_user SELECT 'u' || n, 'u' || n, 'u' || n, 'u' || n, 'u' || n, 'u' || n, 0
     FROM generate_series(1, 1000) n",
    "INSERT INTO chat_user_skeleton SELECT id, id FROM chat_user",
    "INSERT INTO chat_conversation (id, kind, visibility, name, name_key, created_by, created_at)
     SELECT lpad(to_hex(n), 32, '0')::uuid, 'room', CASE n % 4 WHEN 0 THEN 'public' ELSE 'private' END,
            'r' || n % 100, 'r' || n % 100, 'u1', n
     FROM generate_series(1, 1000) n",
    "INSERT INTO chat_direct SELECT 'u1', 'u' || n, lpad(to_hex(n), 32, '0')::uuid
     FROM generate_series(200, 999) n",
    "INSERT INTO chat_head SELECT id, 20, 40, 20, created_at FROM chat_conversation",
    "INSERT INTO chat_member
     SELECT id, 'u' || (n * 37 + created_at) % 1000 + 1, 'member',
            CASE n % 10 WHEN 0 THEN 'left' ELSE 'joined' END, n, 0
     FROM chat_conversation, generate_series(1, 20) n",
    "INSERT INTO chat_cursor SELECT conversation_id, user_id, 10, 10 FROM chat_member",
    "INSERT INTO chat_message
     SELECT id, n, n + 20, gen_random_uuid(), 'u' || n, 'c' || n, 0, NULL, repeat('text ', 20)
     FROM chat_conversation, generate_series(1, 20) n",
    "INSERT INTO chat_mention SELECT conversation_id, sender_id, seq FROM chat_message",
    "INSERT INTO chat_account SELECT id, 'hash' FROM chat_user",
    "INSERT INTO chat_login_session
     SELECT gen_random_uuid(), id, decode(md5(id), 'hex'), NULL, 0, 0, length(id) FROM chat_user",
];

/// A database with something in all tables. The ways that pay only because the tables are still
/// small are forbidden.
async fn connection() -> PgConnection {
    static URL: OnceCell<String> = OnceCell::const_new();
    let url = URL.get_or_init(filled_database).await;
    let mut connection = PgConnection::connect(url).await.unwrap();
    for way in ["seqscan", "bitmapscan", "hashjoin", "mergejoin"] {
        let off = AssertSqlSafe(format!("SET enable_{way} = off"));
        sqlx::raw_sql(off).execute(&mut connection).await.unwrap();
    }
    let generic = "SET plan_cache_mode = force_generic_plan";
    sqlx::raw_sql(generic).execute(&mut connection).await.unwrap();
    connection
}

async fn filled_database() -> String {
    let url = Postgres::shared().create_database().unwrap().url;
    let config = PostgresConfig { min_connections: 0, ..PostgresConfig::default() };
    let store = PostgresStore::open_with(&url, config).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for statement in CONTENTS {
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut connection).await.unwrap();
    url
}

/// How Postgres would go about a statement whose parameters it does not know yet.
async fn plan(connection: &mut PgConnection, query: &str) -> String {
    let parameters = (1..).take_while(|number| query.contains(&format!("${number}"))).count();
    let nulls = vec!["NULL"; parameters].join(", ");
    let script = AssertSqlSafe(format!(
        "PREPARE planned AS {query}; EXPLAIN (COSTS OFF) EXECUTE planned ({nulls});"
    ));
    let rows = sqlx::raw_sql(script).fetch_all(&mut *connection).await.unwrap();
    sqlx::raw_sql("DEALLOCATE planned").execute(connection).await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

/// Fails when a statement walks through a table, or does not use the indexes it should.
async fn assert_uses(connection: &mut PgConnection, query: &str, indexes: &[&str]) -> String {
    let plan = plan(connection, query).await;
    assert!(!plan.contains("Seq Scan"), "{query}\n{plan}");
    for index in indexes {
        assert!(plan.contains(index), "{index}:\n{query}\n{plan}");
    }
    // An index that is read from its beginning to its end is no better than the table.
    let lines: Vec<&str> = plan.lines().collect();
    for (line, next) in lines.iter().zip(lines.iter().skip(1).chain(&[""])) {
        let whole = line.contains("using chat_") && !next.contains("Index Cond");
        assert!(!whole, "{line}\n{query}\n{plan}");
    }
    plan
}

#[tokio::test]
async fn an_append_looks_only_for_what_it_was_given() {
    let connection = &mut connection().await;
    assert_uses(connection, append::LOCK_HEADS, &["chat_head_pkey"]).await;
    // A member is found by either index that begins with what is known.
    let (member, repeat) = ("using chat_member_", "chat_message_client");
    assert_uses(connection, append::EXCEPTIONS, &[member, repeat]).await;
    assert_uses(connection, append::MENTIONED, &["chat_user_username_key_key", member]).await;
    assert_uses(connection, append::STORE, &["chat_head_pkey"]).await;
}

#[tokio::test]
async fn messages_are_read_in_the_order_of_an_index() {
    let connection = &mut connection().await;
    for (query, indexes) in [
        (message::HISTORY, &["chat_message_pkey"][..]),
        (message::BY_ID, &["chat_message_id_key"]),
        (message::HEADS, &["chat_head_pkey"]),
        (message::VISIBLE_HEAD, &["using chat_member_", "chat_head_pkey"]),
    ] {
        let plan = assert_uses(connection, query, indexes).await;
        assert!(!plan.contains("Sort"), "{query}\n{plan}");
    }
    let kinds = ["chat_message_change", "chat_member_change"];
    let plan = assert_uses(connection, changes::CHANGES, &kinds).await;
    assert!(plan.contains("Merge Append") && !plan.contains("Sort  "), "{plan}");
}

#[tokio::test]
async fn an_inbox_reads_only_its_own_conversations() {
    let connection = &mut connection().await;
    let unread = ["chat_message_pkey", "chat_mention_pkey"];
    for query in [inbox::SUMMARIES, inbox::OVERVIEWS, inbox::UNREAD_TOTAL] {
        let plan = assert_uses(connection, query, &unread).await;
        let memberships = plan.lines().find(|line| line.contains("using chat_member_user"));
        assert!(memberships.is_some_and(|line| line.contains("Index Only")), "{query}\n{plan}");
    }
    assert_uses(connection, inbox::SUMMARY, &unread).await;
    assert_uses(connection, cursor::STANDING, &unread).await;
    assert_uses(connection, cursor::MOVE, &unread).await;
}

#[tokio::test]
async fn people_and_rooms_are_found_by_indexes() {
    let connection = &mut connection().await;
    for (query, indexes) in [
        (member::MEMBER, &["using chat_member_"][..]),
        (member::MEMBERSHIPS, &["Index Only Scan using chat_member_user"]),
        (member::CHOSEN, &["chat_member_user"]),
        (member::CIRCLES, &["Index Only Scan using chat_member_user", "chat_head_pkey"]),
        (missed::MISSED, &["chat_message_change", "chat_member_change", "chat_head_pkey"]),
        (conversation::BY_ID, &["chat_conversation_pkey"]),
        (conversation::BY_PAIR, &["chat_direct_pkey"]),
        (user::BY_IDS, &["chat_user_pkey"]),
        (user::TAKEN, &["chat_user_skeleton_pkey"]),
        (user::BY_NAME, &["chat_user_username_key_key"]),
        (user::SEARCH, &["chat_user_username_key_key", "chat_user_display_key"]),
        (account::BY_NAME, &["chat_user_username_key_key"]),
        (login::BY_TOKEN, &["chat_login_session_token_hash_key"]),
        (login::OF_USER, &["chat_login_session_user"]),
        (login::EXISTING, &["chat_login_session_pkey"]),
        (login::EXPIRED, &["chat_login_session_expires_at"]),
    ] {
        assert_uses(connection, query, indexes).await;
    }
}

#[tokio::test]
async fn pages_come_in_the_order_of_an_index() {
    let connection = &mut connection().await;
    for (query, index) in [
        (member::MEMBERS, "chat_member_pkey"),
        (conversation::PUBLIC_ROOMS, "chat_conversation_public"),
        (conversation::BY_NAME, "chat_conversation_name"),
        (login::OF_USER, "chat_login_session_user"),
    ] {
        let plan = assert_uses(connection, query, &[index]).await;
        assert!(!plan.contains("Sort"), "{query}\n{plan}");
    }
    // Here reading an index from its end is the point: the latest messages.
    let plan = plan(connection, conversation::RECENT).await;
    assert!(plan.contains("Scan Backward using chat_message_id_key"), "{plan}");
}
