//! Servers start, freeze, die and come back as told, and never outlive the tests.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use chat_test_servers::{Nats, PgBouncer, Postgres, Redis};

/// Longer than anything here takes.
const BOUND: Duration = Duration::from_secs(60);

fn wait_until(so: impl Fn() -> bool) {
    let give_up = Instant::now() + BOUND;
    while !so() {
        assert!(Instant::now() < give_up, "it did not come to that");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn every_database_is_empty_and_another() {
    let (one, other) = (Postgres::shared().create_database(), Postgres::shared().create_database());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_ne!(one.name, other.name);
    assert!(one.url.ends_with(&one.name));
    Postgres::shared().execute(&one.name, "CREATE TABLE t (n int)").unwrap();
    let refused = Postgres::shared().execute(&other.name, "SELECT * FROM t");
    assert!(refused.unwrap_err().to_string().contains("does not exist"));
}

#[test]
fn a_killed_server_comes_back_with_what_was_committed() {
    let postgres = Postgres::start().unwrap();
    postgres.execute("postgres", "CREATE TABLE t (n int)").unwrap();
    for n in 1..=3 {
        postgres.execute("postgres", &format!("INSERT INTO t VALUES ({n})")).unwrap();
        postgres.kill().unwrap();
        assert!(TcpStream::connect(("127.0.0.1", postgres.port())).is_err());
        assert!(postgres.kill().is_err(), "it is dead already");
        postgres.start_again().unwrap();
    }
    postgres.restart().unwrap();
    assert_eq!(postgres.execute("postgres", "SELECT sum(n) FROM t").unwrap(), "6");
    postgres.stop().unwrap();
    let folder = postgres.folder().to_owned();
    assert!(folder.exists(), "it could be started again");
    drop(postgres);
    assert!(!folder.exists());
}

#[test]
fn a_paused_server_answers_when_it_goes_on() {
    let postgres = Postgres::start().unwrap();
    postgres.pause().unwrap();
    thread::scope(|scope| {
        let asked = scope.spawn(|| postgres.execute("postgres", "SELECT 1"));
        let connected = TcpStream::connect(("127.0.0.1", postgres.port()));
        assert!(connected.is_ok(), "the system still accepts for it");
        assert!(!asked.is_finished());
        postgres.resume().unwrap();
        assert_eq!(asked.join().unwrap().unwrap(), "1");
    });
}

#[test]
fn a_password_is_asked_for() {
    let postgres = Postgres::builder().password("secret").start().unwrap();
    assert_eq!(postgres.execute("postgres", "SELECT 1").unwrap(), "1");
    assert!(postgres.url("postgres").contains(":secret@"));
}

#[test]
fn a_replica_follows_or_waits() {
    let primary = Postgres::start().unwrap();
    primary.execute("postgres", "CREATE TABLE t AS SELECT 1 AS n").unwrap();
    let replica = primary.start_replica().unwrap();
    let count = || replica.execute("postgres", "SELECT count(*) FROM t").unwrap_or_default();
    wait_until(|| count() == "1");
    replica.execute("postgres", "SELECT pg_wal_replay_pause()").unwrap();
    wait_until(|| {
        let state = replica.execute("postgres", "SELECT pg_get_wal_replay_pause_state()");
        state.unwrap() == "paused"
    });
    primary.execute("postgres", "INSERT INTO t VALUES (2)").unwrap();
    assert_eq!(count(), "1");
    replica.execute("postgres", "SELECT pg_wal_replay_resume()").unwrap();
    wait_until(|| count() == "2");
}

#[test]
fn a_pooler_passes_statements_on() {
    let postgres = Postgres::shared();
    let pooler = PgBouncer::start(postgres).unwrap();
    let url = pooler.url(&postgres.create_database().unwrap().name);
    let port = url.split(':').nth(2).unwrap().split('/').next().unwrap().to_owned();
    assert!(TcpStream::connect(format!("127.0.0.1:{port}")).is_ok());
}

/// What the process of the next test does, until it is killed.
#[test]
#[ignore = "started by another test"]
fn start_servers_and_wait() {
    let postgres = Postgres::shared();
    let paused = Postgres::start().unwrap();
    paused.pause().unwrap();
    let (nats, redis) = (Nats::shared(), Redis::shared());
    for (port, folder) in [
        (postgres.port(), postgres.folder()),
        (paused.port(), paused.folder()),
        (nats.port(), nats.folder()),
        (redis.port(), redis.folder()),
    ] {
        println!("server {port} {}", folder.display());
    }
    thread::sleep(BOUND);
}

#[test]
fn servers_end_with_a_process_that_is_killed() {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "start_servers_and_wait", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let servers = lines.filter_map(|line| {
        let (port, folder) = line.strip_prefix("server ")?.split_once(' ')?;
        Some((port.parse::<u16>().unwrap(), folder.to_owned()))
    });
    let servers: Vec<_> = servers.take(4).collect();
    assert_eq!(servers.len(), 4);
    assert!(servers.iter().all(|(_, folder)| Path::new(folder).exists()));
    process.kill().unwrap();
    process.wait().unwrap();
    for (port, folder) in servers {
        wait_until(|| !Path::new(&folder).exists());
        wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}
