//! Tests: statements that are frequent, or that meet large tables, go through indexes.

use sqlx::{AssertSqlSafe, Row};

use super::{
    SqliteStore, account, append, changes, conversation, cursor, inbox, login, member, message,
    missed, user,
};

/// How SQLite would go about a statement. What it walks through is left out where that is the
/// statement's own input or an intermediate result.
async fn plan(query: &str) -> Vec<String> {
    // SQLite plans by the value of a limit that is a parameter and nothing else, and so prepares the
    // statement anew each time it is run (`sqlite3ExprIsInteger`). It does not look behind a sign.
    assert!(!query.contains("LIMIT ?"), "prepared anew each time: {query}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store = SqliteStore::open(path.to_str().unwrap()).await.unwrap();
    store.migrate().await.unwrap();
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
    let rows = sqlx::query(explain).fetch_all(&store.readers).await.unwrap();
    let own = [
        "json_each",
        "(subquery",
        "page",
        "count",
        "CONSTANT ROW",
        "draft",
        "changes",
        "d",
        "n",
        "asked",
        "standing",
        "gone",
        "k",
    ];
    rows.iter()
        .map(|row| row.get::<String, _>("detail"))
        .filter(|step| {
            let scanned = step.strip_prefix("SCAN ");
            !scanned.is_some_and(|table| {
                own.iter().any(|own| table == *own || table.starts_with(own) && own.len() > 1)
            })
        })
        .collect()
}

/// Fails when a statement walks through a table, or does not take the steps it should.
async fn assert_searches(query: &str, steps: &[&str]) {
    let plan = plan(query).await;
    assert!(!plan.iter().any(|step| step.contains("SCAN")), "{query}\n{plan:#?}");
    for step in steps {
        assert!(plan.iter().any(|taken| taken.contains(step)), "{step}:\n{query}\n{plan:#?}");
    }
}

#[tokio::test]
async fn an_append_looks_only_for_what_it_was_given() {
    let member = "SEARCH b USING PRIMARY KEY (conversation_id=? AND user_id=?)";
    let repeat = "chat_message_client (client_id=? AND conversation_id=? AND sender_id=?)";
    let head = "SEARCH h USING PRIMARY KEY (conversation_id=?)";
    assert_searches(append::CHECK, &[member, repeat, "(username_key=?)", head]).await;
    assert_searches(append::lone::INSERT, &[member, head]).await;
    assert_searches(append::lone::EXCEPTION, &[member, repeat]).await;
}

#[tokio::test]
async fn messages_are_read_in_the_order_of_an_index() {
    for (query, step) in [
        (message::HISTORY, "SEARCH m USING PRIMARY KEY (conversation_id=? AND seq>? AND seq<?)"),
        (message::BY_ID, "(id=?)"),
        (message::VISIBLE_HEAD, "SEARCH b USING PRIMARY KEY (conversation_id=? AND user_id=?)"),
        (message::HEADS, "SEARCH h USING PRIMARY KEY (conversation_id=?)"),
        (changes::CHANGES, "SEARCH m USING PRIMARY KEY (conversation_id=? AND seq>?)"),
        (changes::CHANGES, "chat_member_change (conversation_id=? AND change_seq>?)"),
    ] {
        assert_searches(query, &[step]).await;
        let plan = plan(query).await;
        assert!(!plan.iter().any(|step| step.contains("ORDER BY")), "sorted: {query}\n{plan:#?}");
    }
}

#[tokio::test]
async fn an_inbox_reads_only_its_own_conversations() {
    let memberships = "SEARCH b USING COVERING INDEX chat_member_user (user_id=?)";
    let unread = "SEARCH n USING PRIMARY KEY (conversation_id=? AND seq>?)";
    let mentions = "SEARCH n USING PRIMARY KEY (conversation_id=? AND user_id=? AND seq>?)";
    let preview = "SEARCH l USING PRIMARY KEY (conversation_id=? AND seq=?)";
    assert_searches(inbox::SUMMARIES, &[memberships, unread, mentions, preview]).await;
    assert_searches(inbox::OVERVIEWS, &[memberships, unread, mentions, preview]).await;
    assert_searches(inbox::SUMMARY, &[unread, mentions, preview]).await;
    assert_searches(inbox::UNREAD_TOTAL, &[memberships, unread, mentions]).await;
    assert_searches(cursor::COUNTS, &[unread, mentions]).await;
}

#[tokio::test]
async fn what_was_missed_is_searched_for() {
    let member = "SEARCH b USING PRIMARY KEY (conversation_id=? AND user_id=?)";
    let message = "SEARCH m USING PRIMARY KEY (conversation_id=? AND seq>?)";
    let joined = "chat_member_change (conversation_id=? AND change_seq>? AND change_seq<?)";
    assert_searches(missed::MISSED, &[member, message, joined]).await;
}

#[tokio::test]
async fn people_and_rooms_are_found_by_indexes() {
    for (query, step) in [
        (member::MEMBERS, "SEARCH m USING PRIMARY KEY (conversation_id=? AND user_id>?)"),
        (member::MEMBERSHIPS, "COVERING INDEX chat_member_user (user_id=?)"),
        (member::CIRCLES, "COVERING INDEX chat_member_user (user_id=?)"),
        (conversation::PUBLIC_ROOMS, "chat_conversation_public ((name_key,id)>(?,?))"),
        (conversation::BY_NAME, "chat_conversation_name (name_key=?)"),
        (user::USER_BY_NAME, "(username_key=?)"),
        (user::USERS, "SEARCH u USING PRIMARY KEY (id=?)"),
        (user::TAKEN, "SEARCH chat_user_skeleton USING PRIMARY KEY (skeleton=?)"),
        (user::SEARCH, "chat_user_display_key (display_key>? AND display_key<?)"),
        (account::BY_NAME, "(username_key=?)"),
        (login::BY_TOKEN, "(token_hash=?)"),
        (login::OF_USER, "chat_login_session_user (user_id=?)"),
        (login::EXISTING, "(id=?)"),
        (login::EXPIRED, "chat_login_session_expires_at (expires_at<?)"),
    ] {
        assert_searches(query, &[step]).await;
    }
}
