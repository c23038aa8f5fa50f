//! Opening and migrating a database: what works, and what is told when it does not.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use chat_core::store::{ConversationStore, InboxStore, ProbeStore, UserStore};
use chat_store::{OpenError, PostgresConfig, PostgresStore, SqliteStore};
use chat_test_servers::{PgBouncer, Postgres};
use sqlx::{Connection, PgConnection};
use tokio::net::TcpListener;
use tokio::time::timeout;

#[path = "support/databases.rs"]
mod databases;
#[path = "support/people.rs"]
mod people;

use databases::few_connections;
use people::{BOUND, new_user};

async fn refusal(url: &str) -> OpenError {
    let config = PostgresConfig { acquire_timeout: Duration::from_secs(2), ..few_connections() };
    timeout(BOUND, PostgresStore::open_with(url, config)).await.unwrap().expect_err(url)
}

/// All that an error says, with its causes.
fn told(error: &OpenError) -> String {
    let mut told = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        told.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    told
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_for_what_it_is() {
    let server = Postgres::builder().setting("fsync", "off").password("s3cret").start().unwrap();
    let right = server.url("postgres");
    let store = PostgresStore::open_with(&right, few_connections()).await.unwrap();
    assert!(!format!("{store:?}").contains("s3cret"), "{store:?}");

    let mut errors = Vec::new();
    let wrong = refusal(&right.replace("s3cret", "hunter2")).await;
    assert!(
        matches!(&wrong, OpenError::AccessDenied { user, .. } if user == "postgres"),
        "{wrong:?}"
    );
    errors.push(wrong);
    let stranger = refusal(&right.replace("postgres:s3cret", "eve:hunter2")).await;
    assert!(matches!(&stranger, OpenError::AccessDenied { user, .. } if user == "eve"));
    errors.push(stranger);
    let missing = refusal(&server.url("nowhere")).await;
    assert!(
        matches!(&missing, OpenError::NoSuchDatabase { database, .. } if database == "nowhere"),
        "{missing:?}"
    );
    errors.push(missing);
    for url in [
        "mysql://ada:s3cret@localhost/chat",
        "postgres://ada:s3cret@local host/chat",
        "postgres://ada:s3cret@localhost:port/chat",
        "postgres://ada:s3cret@localhost/chat?sslmode=maybe",
        "postgres://ada@localhost/chat?passwd=s3cret",
    ] {
        let malformed = refusal(url).await;
        assert!(matches!(malformed, OpenError::Url(_)), "{url}: {malformed:?}");
        errors.push(malformed);
    }
    server.stop().unwrap();
    let absent = refusal(&right).await;
    assert!(matches!(absent, OpenError::Unreachable { .. }), "{absent:?}");
    assert!(absent.to_string().contains(&format!("127.0.0.1:{}", server.port())));
    errors.push(absent);
    // Somebody who accepts connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let mute = refusal(&format!("postgres://ada:s3cret@127.0.0.1:{port}/chat")).await;
    assert!(matches!(mute, OpenError::Unreachable { .. }), "{mute:?}");
    errors.push(mute);
    for error in &errors {
        let told = told(error);
        assert!(!told.contains("s3cret") && !told.contains("hunter2"), "{told}");
        if let Some(cause) = error.source() {
            assert!(cause.source().is_none(), "each cause is told once: {told}");
            assert!(!cause.to_string().contains("at line"), "of the server's source: {told}");
        }
    }
}

#[tokio::test]
async fn settings_that_contradict_each_other_are_refused() {
    let url = databases::database().url;
    let none = PostgresConfig { max_connections: 0, ..few_connections() };
    let reversed = PostgresConfig { min_connections: 9, ..few_connections() };
    for config in [none, reversed] {
        let refused = PostgresStore::open_with(&url, config).await;
        assert!(matches!(refused, Err(OpenError::Settings(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_pooler_that_was_not_expected_is_found_out() {
    let pooler = PgBouncer::start(Postgres::shared()).unwrap();
    let refused = refusal(&pooler.url("postgres")).await;
    assert!(matches!(refused, OpenError::Pooler { .. }), "{refused:?}");
    assert!(refused.to_string().contains("transaction_pooler"), "{refused}");
}

#[tokio::test]
async fn a_pooler_that_hides_is_found_out_by_statements_of_others() {
    let ignored = ("ignore_startup_parameters", "options,extra_float_digits");
    // All sessions meet on one connection of the server.
    let settings = [ignored, ("default_pool_size", "1")];
    let pooler = PgBouncer::start_with(Postgres::shared(), &settings).unwrap();
    let url = pooler.url(&databases::database().name);
    let config = PostgresConfig { max_connections: 1, ..few_connections() };
    let store = PostgresStore::open_with(&url, config).await.unwrap();
    // What one session has prepared is in the way of the next one.
    let refused = refusal(&url).await;
    assert!(matches!(refused, OpenError::Pooler { .. }), "{}", told(&refused));
    assert!(told(&refused).contains("42P05"), "{}", told(&refused));
    // What one session throws away is missing for another.
    let mut other = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("DEALLOCATE ALL").execute(&mut other).await.unwrap();
    let refused = store.migrate().await.unwrap_err();
    assert!(matches!(refused, OpenError::Pooler { .. }), "{}", told(&refused));
    assert!(told(&refused).contains("26000"), "{}", told(&refused));
}

/// Runs `openssl` in a folder.
fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    let output = command.current_dir(folder).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Makes an authority with this name, whose certificate is `NAME.pem`.
fn authority(folder: &Path, name: &str) {
    let key = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    let usage = "-addext keyUsage=critical,keyCertSign";
    openssl(folder, &format!("{key} -subj /CN={name} {usage} -keyout {name}.key -out {name}.pem"));
}

#[tokio::test]
async fn a_server_must_be_who_it_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    authority(path, "right");
    authority(path, "wrong");
    openssl(
        path,
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
         -keyout server.key -out server.csr",
    );
    std::fs::write(path.join("names"), "subjectAltName=DNS:localhost").unwrap();
    openssl(
        path,
        "x509 -req -in server.csr -CA right.pem -CAkey right.key -CAcreateserial -days 2 \
         -extfile names -out server.pem",
    );
    let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
    let server = Postgres::builder()
        .setting("fsync", "off")
        .setting("ssl", "on")
        .setting("ssl_cert_file", "server.pem")
        .setting("ssl_key_file", "server.key")
        .file("server.pem", &read("server.pem"))
        .file("server.key", &read("server.key"))
        .start()
        .unwrap();
    let url = |host: &str, root: &str| {
        let url = server.url("postgres").replace("127.0.0.1", host);
        format!("{url}?sslmode=verify-full&sslrootcert={}", path.join(root).display())
    };
    let store =
        PostgresStore::open_with(&url("localhost", "right.pem"), few_connections()).await.unwrap();
    store.migrate().await.unwrap();
    store.probe().await.unwrap();
    let encrypted = server.execute(
        "postgres",
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE application_name = 'chat'",
    );
    assert_eq!(encrypted.unwrap(), "t");
    for url in [
        url("localhost", "wrong.pem"),
        // Not the name in the certificate.
        url("127.0.0.1", "right.pem"),
        url("localhost", "missing.pem"),
        format!("{}?sslmode=require", Postgres::shared().url("postgres")),
    ] {
        let refused = refusal(&url).await;
        assert!(matches!(refused, OpenError::Tls { .. }), "{url}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_may_migrate_at_once_and_again() {
    for pooled in [false, true] {
        let database = databases::database();
        let pooler = PgBouncer::start(Postgres::shared()).unwrap();
        let url = if pooled { pooler.url(&database.name) } else { database.url };
        let starts: Vec<_> = (0..4)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move {
                    let config = PostgresConfig { transaction_pooler: pooled, ..few_connections() };
                    let store = PostgresStore::open_with(&url, config).await.unwrap();
                    store.migrate().await.unwrap();
                    store.ensure_user(new_user("ada")).await.unwrap();
                    store.migrate().await.unwrap();
                    assert!(store.pending_migrations().await.unwrap().is_empty());
                })
            })
            .collect();
        for start in starts {
            timeout(BOUND, start).await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_pending_can_be_asked_of_either_database() {
    let store = PostgresStore::open_with(&databases::database().url, few_connections()).await;
    let store = store.unwrap();
    let pending = store.pending_migrations().await.unwrap();
    assert_eq!((pending[0].version, pending[0].description), (1, "initial"));
    store.migrate().await.unwrap();
    assert!(store.pending_migrations().await.unwrap().is_empty());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store = SqliteStore::open(path.to_str().unwrap()).await.unwrap();
    let pending = store.pending_migrations().await.unwrap();
    assert_eq!((pending[0].version, pending[0].description), (1, "initial"));
    store.migrate().await.unwrap();
    assert!(store.pending_migrations().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_database_of_a_later_version_is_left_alone() {
    let database = databases::database();
    let store = databases::migrated(&database.url, few_connections()).await;
    let later = "INSERT INTO chat_migration (version, description, checksum) VALUES (999, 'x', '')";
    Postgres::shared().execute(&database.name, later).unwrap();
    for error in [
        refusal(&database.url).await,
        store.migrate().await.unwrap_err(),
        store.pending_migrations().await.unwrap_err(),
    ] {
        assert!(matches!(error, OpenError::NewerSchema { found: 999, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_migration_that_was_changed_is_refused() {
    let database = databases::database();
    let store = databases::migrated(&database.url, few_connections()).await;
    let change = "UPDATE chat_migration SET checksum = ''";
    Postgres::shared().execute(&database.name, change).unwrap();
    let refused = store.migrate().await;
    assert!(matches!(refused, Err(OpenError::Migration(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_waits_for_a_lock_and_comes_back() {
    let database = databases::database();
    let store = PostgresStore::open_with(&database.url, few_connections()).await.unwrap();
    let all = store.pending_migrations().await.unwrap();
    let mut other = PgConnection::connect(&database.url).await.unwrap();
    let lock = "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('chat_migration', 0))";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    let migration = tokio::spawn({
        let store = store.clone();
        async move { store.migrate().await }
    });
    // It waits, and the first attempt gives up.
    for waiting in ["1", "0"] {
        let give_up = Instant::now() + BOUND;
        let waiters = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while Postgres::shared().execute(&database.name, waiters).unwrap() != waiting {
            assert!(Instant::now() < give_up, "the migration does not wait as it should");
        }
    }
    assert!(!migration.is_finished());
    assert_eq!(store.pending_migrations().await.unwrap(), all);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    timeout(BOUND, migration).await.unwrap().unwrap().unwrap();
    store.probe().await.unwrap();
}

#[tokio::test]
async fn the_documented_defaults_are_the_defaults() {
    let config = PostgresConfig::default();
    assert_eq!((config.max_connections, config.min_connections), (16, 1));
    assert_eq!(config.acquire_timeout, Duration::from_secs(5));
    assert_eq!(config.statement_timeout, Duration::from_secs(4));
    assert_eq!(config.lock_timeout, Duration::from_secs(2));
    assert!(config.replica_url.is_none() && !config.transaction_pooler);
}

#[tokio::test]
async fn a_node_of_the_version_before_takes_part_in_the_order_of_lists() {
    let database = databases::database();
    let store = databases::migrated(&database.url, few_connections()).await;
    let ada = people::user(&store, "ada").await;
    let mut rooms = Vec::new();
    for _ in 0..3 {
        rooms.push(
            store.create_room(people::new_room(&ada)).await.unwrap().conversation().unwrap().id,
        );
    }
    let order = async || {
        let list = store.summaries(&ada, None, 9).await.unwrap();
        list.into_iter().map(|one| one.conversation_id).collect::<Vec<_>>()
    };
    assert_eq!(order().await, [rooms[2], rooms[1], rooms[0]]);
    let opened_at = store.summary(&ada, rooms[0]).await.unwrap().unwrap().last_activity_at;
    let mut before = PgConnection::connect(&database.url).await.unwrap();
    let update = "UPDATE chat_head SET last_seq = last_seq + 1, change_seq = change_seq + 1,
                    last_activity_at = 7 WHERE conversation_id = $1";
    sqlx::query(update).bind(rooms[0].as_uuid()).execute(&mut before).await.unwrap();
    assert_eq!(order().await, [rooms[0], rooms[2], rooms[1]]);
    let moved = store.summary(&ada, rooms[0]).await.unwrap().unwrap();
    assert_eq!(moved.last_activity_at, opened_at, "it never goes back");
    let join = "UPDATE chat_head SET change_seq = change_seq + 1 WHERE conversation_id = $1";
    sqlx::query(join).bind(rooms[1].as_uuid()).execute(&mut before).await.unwrap();
    people::send(&store, rooms[2], &ada).await;
    assert_eq!(order().await, [rooms[2], rooms[0], rooms[1]]);
}
