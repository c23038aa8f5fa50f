//! A replica is asked for what may lag or can be proven whole, and for nothing else.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::time::Instant;

use chat_core::store::{ConversationStore, InboxStore, MemberStore, MessageStore, UserStore};
use chat_store::{OpenError, PostgresConfig, PostgresStore};
use chat_test_servers::Postgres;
use tokio::task::yield_now;
use tokio::time::timeout;

#[path = "support/databases.rs"]
mod databases;
#[path = "support/people.rs"]
mod people;

use databases::few_connections;
use people::{BOUND, history, room, send, user};

/// Marks rows of a replica that is none, so that it shows where an answer came from.
async fn store_with_marked_replica() -> (PostgresStore, impl Fn(&str)) {
    let (primary, copy) = (databases::database(), databases::database());
    databases::migrated(&copy.url, few_connections()).await;
    let config = PostgresConfig { replica_url: Some(copy.url.clone()), ..few_connections() };
    let store = databases::migrated(&primary.url, config).await;
    (store, move |statement: &str| {
        Postgres::shared().execute(&copy.name, statement).unwrap();
    })
}

#[tokio::test]
async fn only_what_may_lag_comes_from_the_replica() {
    let (store, on_replica) = store_with_marked_replica().await;
    let (room, ada) = room(&store).await;
    let mut sent = Vec::new();
    for _ in 0..4 {
        sent.push(send(&store, room, &ada).await);
    }
    // The replica knows the first two, and can be told by their text.
    for message in &sent[..2] {
        on_replica(&format!(
            "INSERT INTO chat_message VALUES ('{}', {}, {}, '{}', 'ada', '{}', 0, NULL, 'replica')",
            room, message.seq, message.change_seq, message.id, message.client_id
        ));
    }
    on_replica("INSERT INTO chat_user VALUES ('ada', 'ada', 'ada', 'ada', 'replica', 'ada', 0)");
    let texts = async |range| {
        let messages = store.messages(room, range).await.unwrap();
        messages.iter().map(|message| message.content.as_str().to_owned()).collect::<Vec<_>>()
    };
    let own = sent[0].content.as_str();
    assert_eq!(texts(1..=2).await, ["replica", "replica"]);
    assert_eq!(texts(2..=3).await, [own, own], "half a page is none");
    assert_eq!(texts(1..=u64::MAX).await.len(), 4, "who asks for all gets all");
    assert_eq!(texts(5..=9).await.len(), 0);
    let text = async |place: usize| {
        let message = store.message(sent[place].id).await.unwrap().unwrap();
        message.content.as_str().to_owned()
    };
    assert_eq!((text(0).await.as_str(), text(3).await.as_str()), ("replica", own));
    let found = store.search_users("ad", 10).await.unwrap();
    assert_eq!(found[0].display_name.as_str(), "replica");

    // The replica knows nothing of memberships, heads and the rest, and would be believed.
    assert!(store.member(room, &ada).await.unwrap().is_some());
    assert!(store.visible_head(room, &ada).await.unwrap().is_some());
    assert_eq!(store.memberships(std::slice::from_ref(&ada)).await.unwrap().len(), 1);
    assert_eq!(store.members(room, None, 10).await.unwrap().len(), 1);
    assert_eq!(store.heads(&[room]).await.unwrap()[0].last_seq, 4);
    assert_eq!(store.changes(room, 0, 10).await.unwrap().events.len(), 5);
    assert_eq!(store.summaries(&ada, None, 10).await.unwrap().len(), 1);
    assert_eq!(store.overview(&ada, 10).await.unwrap().standings.len(), 1);
    assert_eq!(store.chosen(&ada).await.unwrap(), 1);
    assert!(store.conversation(room).await.unwrap().is_some());
    assert_eq!(store.public_rooms(None, 10).await.unwrap().len(), 1);
    let ada = store.user(&ada).await.unwrap().unwrap();
    assert_eq!(ada.display_name.as_str(), "ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_may_lag_or_be_gone() {
    let primary = Postgres::start().unwrap();
    let database = primary.create_database().unwrap();
    databases::migrated(&database.url, few_connections()).await;
    let replica = primary.start_replica().unwrap();
    let replica_url = Some(replica.url(&database.name));
    let config = PostgresConfig { replica_url, ..few_connections() };
    let store = databases::migrated(&database.url, config).await;
    let (room, ada) = room(&store).await;
    send(&store, room, &ada).await;

    let followed = || replica.execute(&database.name, "SELECT count(*) FROM chat_message").unwrap();
    let give_up = Instant::now() + BOUND;
    while followed() != "1" {
        assert!(Instant::now() < give_up, "the replica does not follow");
        yield_now().await;
    }
    replica.execute("postgres", "SELECT pg_wal_replay_pause()").unwrap();
    let late = send(&store, room, &ada).await;
    assert_eq!(store.message(late.id).await.unwrap(), Some(late.clone()));
    assert_eq!(store.messages(room, 1..=2).await.unwrap().len(), 2);
    assert_eq!(history(&store, room).await.len(), 2);

    replica.kill().unwrap();
    let asked = async {
        assert_eq!(store.messages(room, 1..=2).await.unwrap().len(), 2);
        user(&store, "bob").await;
        assert_eq!(store.search_users("", 10).await.unwrap().len(), 2);
    };
    timeout(BOUND, asked).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_freezes_while_it_is_asked_keeps_nobody_waiting() {
    let primary = Postgres::start().unwrap();
    let database = primary.create_database().unwrap();
    databases::migrated(&database.url, few_connections()).await;
    let replica = primary.start_replica().unwrap();
    let replica_url = Some(replica.url(&database.name));
    let config = PostgresConfig { replica_url, ..few_connections() };
    // As long as a breaker gives a call.
    let limit = config.acquire_timeout;
    let store = databases::migrated(&database.url, config).await;
    let (room, ada) = room(&store).await;
    send(&store, room, &ada).await;

    // Its connection was in use a moment ago, and so is not tested.
    assert_eq!(store.messages(room, 1..=1).await.unwrap().len(), 1);
    replica.pause().unwrap();
    let asked = timeout(limit, store.messages(room, 1..=1)).await;
    replica.resume().unwrap();
    assert_eq!(asked.expect("the primary is asked in time").unwrap().len(), 1);
}

async fn opened(url: &str, replica_url: String) -> Result<PostgresStore, OpenError> {
    let config = PostgresConfig { replica_url: Some(replica_url), ..few_connections() };
    timeout(BOUND, PostgresStore::open_with(url, config)).await.unwrap()
}

#[tokio::test]
async fn a_server_that_follows_another_is_no_replica() {
    let primary = Postgres::builder().setting("fsync", "off").start().unwrap();
    let database = databases::database();
    // Anybody may ask which cluster it is.
    primary.execute("postgres", "CREATE ROLE ada LOGIN").unwrap();
    let stranger = primary.url("postgres").replace("postgres@", "ada@");
    let refused = opened(&database.url, stranger.clone()).await.unwrap_err();
    assert!(matches!(refused, OpenError::AnotherCluster { .. }), "{refused:?}");
    for place in [primary.port(), Postgres::shared().port()] {
        assert!(refused.to_string().contains(&format!("127.0.0.1:{place}")), "{refused}");
    }
    // Where it may not be asked, it is believed.
    let silence = "REVOKE EXECUTE ON FUNCTION pg_control_system FROM PUBLIC";
    primary.execute("postgres", silence).unwrap();
    opened(&database.url, stranger).await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_a_replica_is_told_of_the_replica() {
    let primary = Postgres::builder().setting("fsync", "off").password("s3cret").start().unwrap();
    let url = primary.url("postgres");
    let replica = primary.start_replica().unwrap();
    for wrong in [
        replica.url("postgres").replace("s3cret", "hunter2"),
        replica.url("nowhere"),
        "postgres://chat:hunter2@localhost:port/chat".to_owned(),
        "mysql://chat:hunter2@localhost/chat".to_owned(),
    ] {
        let refused = opened(&url, wrong.clone()).await.unwrap_err();
        assert!(matches!(refused, OpenError::Replica(_)), "{wrong}: {refused:?}");
        assert!(refused.to_string().contains("replica_url"), "{refused}");
        let told = format!("{refused:?}");
        assert!(!told.contains("s3cret") && !told.contains("hunter2"), "{told}");
    }
    // One that is not there may come back.
    let right = replica.url("postgres");
    replica.stop().unwrap();
    let store = opened(&url, right).await.unwrap();
    store.migrate().await.unwrap();
    let (room, ada) = room(&store).await;
    send(&store, room, &ada).await;
    assert_eq!(store.messages(room, 1..=1).await.unwrap().len(), 1);
}
