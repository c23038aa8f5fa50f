use std::sync::atomic::{AtomicU32, Ordering};

use chat_test_servers::Postgres;

use super::super::PostgresStore;
use super::super::statement::sql;
use super::*;
use crate::columns::Columns;

async fn store(before: &str) -> PostgresStore {
    let database = Postgres::shared().create_database().unwrap();
    Postgres::shared()
        .execute(
            &database.name,
            &before.replace("DATABASE", &format!("DATABASE {}", database.name)),
        )
        .unwrap();
    let config = PostgresConfig { min_connections: 0, ..PostgresConfig::default() };
    let store = PostgresStore::open_with(&database.url, config).await.unwrap();
    store.migrate().await.unwrap();
    store
}

/// A setting as a transaction that writes sees it.
async fn setting(store: &PostgresStore, name: &'static str) -> String {
    let work = store.primary.write(Repeat::Harmless, move |session| {
        Box::pin(async move {
            let row = session.one(sql("SELECT current_setting($1) AS value").bind(name)).await?;
            Ok(row.text("value")?.to_owned())
        })
    });
    work.await.unwrap()
}

fn insert(id: &'static str) -> Statement {
    sql("INSERT INTO chat_user
           (id, username, username_key, skeleton, display_name, display_key, created_at)
         VALUES ($1, $1, $1, $1, $1, $1, 0)")
    .bind(id)
}

async fn users(store: &PostgresStore) -> u64 {
    let count = sql("SELECT count(*) AS users FROM chat_user");
    store.primary.one(count).await.unwrap().number("users").unwrap()
}

#[tokio::test]
async fn a_commit_is_durable_whatever_the_database_says() {
    let weak = store("ALTER DATABASE SET synchronous_commit = off").await;
    assert_eq!(setting(&weak, "synchronous_commit").await, "on");
    let strong = store("ALTER DATABASE SET synchronous_commit = remote_apply").await;
    assert_eq!(setting(&strong, "synchronous_commit").await, "remote_apply");
}

#[tokio::test]
async fn statements_have_timeouts_whoever_made_the_connection() {
    let own = store("SELECT 1").await;
    let row = own.primary.one(sql("SELECT current_database()::text AS name")).await.unwrap();
    let url = Postgres::shared().url(row.text("name").unwrap());
    let pool = PgPool::connect(&url).await.unwrap();
    for store in [own, PostgresStore::from_pool(pool)] {
        assert_eq!(setting(&store, "statement_timeout").await, "4s");
        assert_eq!(setting(&store, "lock_timeout").await, "2s");
        assert_eq!(setting(&store, "idle_in_transaction_session_timeout").await, "10s");
    }
}

#[tokio::test]
async fn work_that_fails_or_panics_leaves_no_trace() {
    let store = store("SELECT 1").await;
    for _ in 0..20 {
        let refused = store.primary.write(Repeat::Harmless, |session| {
            Box::pin(async move {
                session.execute(insert("ada")).await?;
                Err::<(), _>(Failure::Refused("no"))
            })
        });
        assert!(matches!(refused.await, Err(Failure::Refused("no"))));
        let constraint = store.primary.write(Repeat::Harmless, |session| {
            Box::pin(async move {
                session.execute(insert("ada")).await?;
                session.execute(insert("ada")).await
            })
        });
        assert!(matches!(constraint.await, Err(Failure::Sql(_))));
        let panicking = store.primary.write(Repeat::Harmless, |session| {
            Box::pin(async move {
                session.execute(insert("ada")).await?;
                panic!("on purpose")
            })
        });
        let outcome: Result<(), _> = panicking.await;
        assert!(matches!(outcome, Err(Failure::Interrupted(_))));
    }
    assert_eq!(users(&store).await, 0);
    let work = store.primary.write(Repeat::Harmless, |session| {
        Box::pin(async move { session.execute(insert("ada")).await })
    });
    assert_eq!(work.await.unwrap(), 1);
    assert_eq!(users(&store).await, 1);
}

#[tokio::test]
async fn work_that_was_in_the_way_is_done_again() {
    let store = store("SELECT 1").await;
    let attempts = Arc::new(AtomicU32::new(0));
    let work = store.primary.write(Repeat::Harmful, {
        let attempts = Arc::clone(&attempts);
        move |session| {
            let attempt = attempts.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                session.execute(insert("ada")).await?;
                if attempt < 2 {
                    let raise = "DO $$ BEGIN RAISE serialization_failure; END $$";
                    session.run(raise).await?;
                }
                Ok(())
            })
        }
    });
    work.await.unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
    assert_eq!(users(&store).await, 1);
}
