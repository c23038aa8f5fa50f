//! Whatever becomes of connections, servers and callers: what was acknowledged is there once, and
//! nobody waits for ever.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chat_core::proto::{ConversationId, Message, RoomName, UserId};
use chat_core::store::{
    AppendOutcome, ConversationStore, CursorKind, CursorStore, InboxStore, MemberStore,
    MessageStore, ProbeStore, StoreError, UserStore,
};
use chat_store::{PostgresConfig, PostgresStore};
use chat_test_servers::Postgres;
use jiff::Timestamp;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::timeout;

#[path = "support/databases.rs"]
mod databases;
#[path = "support/people.rs"]
mod people;
#[path = "support/proxy.rs"]
mod proxy;

use databases::{few_connections, migrated};
use people::{BOUND, checked_history, draft, history, made, new_room, new_user, room, send, user};
use proxy::{Cut, Proxy};

/// Few connections, and little patience.
fn impatient() -> PostgresConfig {
    PostgresConfig {
        max_connections: 4,
        acquire_timeout: Duration::from_millis(500),
        statement_timeout: Duration::from_millis(500),
        lock_timeout: Duration::from_millis(200),
        ..few_connections()
    }
}

/// Sends until told to stop, each message until it is acknowledged; returns what was.
async fn sender(
    store: PostgresStore,
    room: ConversationId,
    sender: UserId,
    stop: Arc<AtomicBool>,
) -> Vec<Message> {
    let mut acknowledged = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let draft = draft(room, &sender);
        loop {
            match store.append(vec![draft.clone()]).await.map(|mut outcomes| outcomes.remove(0)) {
                Ok(AppendOutcome::Stored(message) | AppendOutcome::Repeated(message)) => {
                    acknowledged.push(message);
                    break;
                }
                Ok(AppendOutcome::NotMember) => panic!("the sender is a member"),
                Err(StoreError::Unavailable(_)) => yield_now().await,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    acknowledged
}

/// Four who send, and what comes of it.
struct Load {
    store: PostgresStore,
    room: ConversationId,
    stop: Arc<AtomicBool>,
    senders: Vec<tokio::task::JoinHandle<Vec<Message>>>,
}

impl Load {
    async fn on(store: &PostgresStore) -> Self {
        let (room, ada) = room(store).await;
        let stop = Arc::new(AtomicBool::new(false));
        let senders = (0..4)
            .map(|_| tokio::spawn(sender(store.clone(), room, ada.clone(), Arc::clone(&stop))))
            .collect();
        Self { store: store.clone(), room, stop, senders }
    }

    /// Waits until more messages are stored than before.
    async fn goes_on(&self) {
        let last = async || {
            let heads = self.store.heads(&[self.room]).await;
            heads.ok().and_then(|heads| heads.first().map(|head| head.last_seq))
        };
        let give_up = Instant::now() + BOUND;
        let mut before = None;
        loop {
            match (before, last().await) {
                (Some(before), Some(now)) if now > before => return,
                (None, Some(now)) => before = Some(now),
                _ => yield_now().await,
            }
            assert!(Instant::now() < give_up, "nothing is stored any more");
        }
    }

    /// What was acknowledged is there once, in one order without a hole; and nothing else.
    async fn ends_well(self) {
        self.stop.store(true, Ordering::SeqCst);
        let mut acknowledged = Vec::new();
        for sender in self.senders {
            acknowledged.extend(timeout(BOUND, sender).await.unwrap().unwrap());
        }
        let mut messages = checked_history(&self.store, self.room).await;
        acknowledged.sort_unstable_by_key(|message| message.seq);
        messages.sort_unstable_by_key(|message| message.seq);
        assert_eq!(acknowledged, messages);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_under_load_lose_and_double_nothing() {
    let database = databases::database();
    let store = migrated(&database.url, few_connections()).await;
    let load = Load::on(&store).await;
    let cut = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = '{}' AND pid <> pg_backend_pid()",
        database.name
    );
    for _ in 0..20 {
        load.goes_on().await;
        let cut = cut.clone();
        spawn_blocking(move || Postgres::shared().execute("postgres", &cut))
            .await
            .unwrap()
            .unwrap();
    }
    load.goes_on().await;
    load.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_frozen_and_restarted_under_load_loses_and_doubles_nothing() {
    let server = Arc::new(Postgres::start().unwrap());
    let store = migrated(&server.create_database().unwrap().url, impatient()).await;
    let load = Load::on(&store).await;
    let killed = Arc::clone(&server);
    spawn_blocking(move || killed.kill().and_then(|()| killed.start_again()))
        .await
        .unwrap()
        .unwrap();
    load.goes_on().await;
    let restarted = Arc::clone(&server);
    spawn_blocking(move || restarted.restart()).await.unwrap().unwrap();
    load.goes_on().await;
    server.pause().unwrap();
    // By then everybody who sends has been told so, too.
    for _ in 0..2 {
        let frozen = timeout(BOUND, store.probe()).await.unwrap();
        assert!(matches!(frozen, Err(StoreError::Unavailable(_))), "{frozen:?}");
    }
    server.resume().unwrap();
    load.goes_on().await;
    load.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_holds_nobody_and_keeps_no_connection() {
    let server = Arc::new(Postgres::start().unwrap());
    let store = migrated(&server.create_database().unwrap().url, impatient()).await;
    let (room, ada) = room(&store).await;
    send(&store, room, &ada).await;
    server.pause().unwrap();
    for _ in 0..2 {
        let calls: Vec<_> = (0..12)
            .map(|n| {
                let (store, ada) = (store.clone(), ada.clone());
                tokio::spawn(async move {
                    match n % 3 {
                        0 => store.append(vec![draft(room, &ada)]).await.map(drop),
                        1 => store.user(&ada).await.map(drop),
                        _ => store.probe().await,
                    }
                })
            })
            .collect();
        for call in calls {
            let outcome = timeout(BOUND, call).await.unwrap().unwrap();
            assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
        }
    }
    server.resume().unwrap();
    // Its backends notice at last that nobody listens.
    let give_up = Instant::now() + BOUND;
    while store.probe().await.is_err() {
        assert!(Instant::now() < give_up, "the store does not recover");
    }
    let sends = (0..16).map(|_| {
        let (store, ada) = (store.clone(), ada.clone());
        tokio::spawn(async move { send(&store, room, &ada).await })
    });
    for send in sends.collect::<Vec<_>>() {
        timeout(BOUND, send).await.unwrap().unwrap();
    }
    checked_history(&store, room).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_whose_answer_is_lost_is_stored_once_and_acknowledged() {
    let (proxy, store) = behind_proxy().await;
    let (room, ada) = room(&store).await;
    let mut expected = Vec::new();
    for cut in [Cut::AfterCommit, Cut::BeforeCommit, Cut::Never, Cut::AfterCommit] {
        let before = send(&store, room, &ada).await;
        let repeat = chat_core::store::MessageDraft {
            client_id: before.client_id.clone(),
            ..draft(room, &ada)
        };
        let new = draft(room, &ada);
        let twin = chat_core::store::MessageDraft {
            client_id: new.client_id.clone(),
            ..draft(room, &ada)
        };
        proxy.cut_next(cut);
        let batch = vec![new.clone(), repeat, twin];
        let outcomes = timeout(BOUND, store.append(batch)).await.unwrap().unwrap();
        let [
            AppendOutcome::Stored(stored),
            AppendOutcome::Repeated(old),
            AppendOutcome::Repeated(same),
        ] = &outcomes[..]
        else {
            panic!("{outcomes:?}");
        };
        assert_eq!((stored.id, old, same), (new.id, &before, stored));
        expected.extend([before, stored.clone()]);
    }
    assert_eq!(proxy.cuts(), 3);
    assert_eq!(checked_history(&store, room).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_not_be_done_twice_is_not_tried_twice() {
    let (proxy, store) = behind_proxy().await;
    let ada = user(&store, "ada").await;
    for cut in [Cut::AfterCommit, Cut::BeforeCommit] {
        proxy.cut_next(cut);
        let refused = timeout(BOUND, store.create_room(new_room(&ada))).await.unwrap();
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    assert_eq!(store.public_rooms(None, 10).await.unwrap().len(), 1, "one of them took effect");
    let rooms = store.public_rooms(None, 10).await.unwrap();
    let bob = user(&store, "bob").await;
    proxy.cut_next(Cut::AfterCommit);
    let refused = store.join(rooms[0].id, &bob, jiff::Timestamp::now(), 10).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_be_done_twice_succeeds_when_its_answer_is_lost() {
    let (proxy, store) = behind_proxy().await;
    let (room, ada) = room(&store).await;
    let bob = user(&store, "bob").await;
    store.join(room, &bob, jiff::Timestamp::now(), 10).await.unwrap();
    send(&store, room, &ada).await;
    proxy.cut_next(Cut::AfterCommit);
    store.ensure_user(new_user("carol")).await.unwrap();
    proxy.cut_next(Cut::AfterCommit);
    let moved = store.advance(room, &bob, CursorKind::Read, None).await.unwrap().unwrap();
    assert_eq!((moved.to, moved.unread), (1, 0));
    proxy.cut_next(Cut::AfterCommit);
    store.record_last_seen(&bob, jiff::Timestamp::now()).await.unwrap();
    proxy.cut_next(Cut::AfterCommit);
    store.probe().await.unwrap();
    assert_eq!(proxy.cuts(), 4);
}

async fn behind_proxy() -> (Proxy, PostgresStore) {
    let proxy = Proxy::start(Postgres::shared().port()).await;
    let store = migrated(&proxy.url(&databases::database().name), few_connections()).await;
    (proxy, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_too_long_for_a_lock_is_told_to_come_back() {
    let database = databases::database();
    let store = migrated(&database.url, impatient()).await;
    let (room, ada) = room(&store).await;
    let mut other = PgConnection::connect(&database.url).await.unwrap();
    let lock = "BEGIN; SELECT * FROM chat_head FOR UPDATE";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    for _ in 0..6 {
        let refused = timeout(BOUND, store.append(vec![draft(room, &ada)])).await.unwrap();
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    assert_eq!(store.summaries(&ada, None, 10).await.unwrap().len(), 1, "reads do not wait");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(send(&store, room, &ada).await.seq, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_to_the_same_rooms_do_not_wait_in_a_circle() {
    let store = databases::postgres().await;
    let ada = user(&*store, "ada").await;
    let mut rooms = Vec::new();
    for _ in 0..8 {
        rooms.push(made(&*store, &ada).await);
    }
    let batches = (0..32).map(|n| {
        let (store, ada, mut rooms) = (PostgresStore::clone(&store), ada.clone(), rooms.clone());
        rooms.rotate_left(n % 8);
        if n % 2 == 0 {
            rooms.reverse();
        }
        tokio::spawn(async move {
            let drafts = rooms.iter().map(|room| draft(*room, &ada)).collect();
            store.append(drafts).await.unwrap();
        })
    });
    for batch in batches.collect::<Vec<_>>() {
        timeout(BOUND, batch).await.unwrap().unwrap();
    }
    for room in rooms {
        assert_eq!(checked_history(&*store, room).await.len(), 32);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_call_leaves_nothing_open() {
    let database = databases::database();
    let config = PostgresConfig { max_connections: 2, ..few_connections() };
    let store = migrated(&database.url, config).await;
    let (room, ada) = room(&store).await;
    for microseconds in 0..100 {
        let time = Duration::from_micros(microseconds * 20);
        let _ = timeout(time, store.append(vec![draft(room, &ada)])).await;
        let _ = timeout(time, store.changes(room, 0, 100)).await;
    }
    let last = timeout(BOUND, send(&store, room, &ada)).await.unwrap();
    let messages = checked_history(&store, room).await;
    assert!(messages.contains(&last));
}

#[tokio::test]
async fn a_host_shares_its_pool_and_its_database() {
    let database = databases::database();
    let pool = PgPool::connect(&database.url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE users (id INTEGER PRIMARY KEY)").execute(&pool).await.unwrap();
    let store = PostgresStore::from_pool(pool.clone());
    store.migrate().await.unwrap();
    let (room, ada) = room(&store).await;
    send(&store, room, &ada).await;
    assert_eq!(history(&store, room).await.len(), 1);
    let tables = "SELECT count(*) FROM pg_tables
                  WHERE schemaname = 'public' AND tablename NOT LIKE 'chat!_%' ESCAPE '!'";
    let foreign: i64 = sqlx::query_scalar(tables).fetch_one(&pool).await.unwrap();
    assert_eq!(foreign, 1, "every table of chat says so in its name");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_sets_for_its_own_transactions_changes_nothing() {
    let database = databases::database();
    Postgres::shared()
        .execute(
            "postgres",
            &format!(
                "ALTER DATABASE {} SET default_transaction_isolation = 'repeatable read'",
                database.name
            ),
        )
        .unwrap();
    let stores = [
        migrated(&database.url, few_connections()).await,
        migrated(&database.url, few_connections()).await,
    ];
    let ada = user(&stores[0], "ada").await;
    let bob = user(&stores[0], "bob").await;
    let joined: Vec<_> = async {
        let mut rooms = Vec::new();
        for _ in 0..8 {
            rooms.push(made(&stores[0], &ada).await);
        }
        rooms
    }
    .await;
    for round in 0..8 {
        let find = (0..8).map(|n| {
            let mut room = new_room(&ada);
            room.name = RoomName::parse(&format!("room {round}")).unwrap();
            let store = stores[n % 2].clone();
            tokio::spawn(async move { store.find_or_create_room(room).await.unwrap().is_created() })
        });
        let mut created = 0;
        for made in find.collect::<Vec<_>>() {
            created += usize::from(made.await.unwrap());
        }
        assert_eq!(created, 1, "a name is made once");
    }
    let joins = joined.iter().enumerate().map(|(n, room)| {
        let (store, room, bob) = (stores[n % 2].clone(), *room, bob.clone());
        tokio::spawn(async move { store.join(room, &bob, Timestamp::now(), 3).await.unwrap() })
    });
    for join in joins.collect::<Vec<_>>() {
        join.await.unwrap();
    }
    assert_eq!(stores[0].chosen(&bob).await.unwrap(), 3, "the limit holds however many join");
}

#[tokio::test]
async fn what_no_standby_has_yet_is_not_acknowledged() {
    let server = Postgres::builder().setting("fsync", "off").start().unwrap();
    let database = server.create_database().unwrap();
    let store = migrated(&database.url, impatient()).await;
    let (room, ada) = room(&store).await;
    let standbys = |names: &str| {
        let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'");
        server.execute("postgres", &set).unwrap();
        server.execute("postgres", "SELECT pg_reload_conf()").unwrap();
        let give_up = Instant::now() + BOUND;
        while server.execute("postgres", "SHOW synchronous_standby_names").unwrap() != names {
            assert!(Instant::now() < give_up, "the server does not take the setting");
        }
    };
    standbys("nobody");
    let draft = draft(room, &ada);
    let sent = timeout(BOUND, store.append(vec![draft.clone()])).await.unwrap();
    assert!(matches!(sent, Err(StoreError::Unavailable(_))), "{sent:?}");
    standbys("");
    let again = timeout(BOUND, store.append(vec![draft])).await.unwrap().unwrap();
    assert!(matches!(again[..], [AppendOutcome::Repeated(_)]), "{again:?}");
    assert_eq!(checked_history(&store, room).await.len(), 1);
}
