//! A Redis server, and a cluster of three, do what they are told.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use chat_test_servers::{Redis, RedisCluster};

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
fn commands_are_run_and_refused() {
    let redis = Redis::shared();
    redis.execute(&["SET", "commands:key", "two words"]).unwrap();
    assert_eq!(redis.execute(&["GET", "commands:key"]).unwrap(), "two words");
    assert!(redis.execute(&["INFO", "commandstats"]).unwrap().contains("cmdstat_get:calls="));
    let refused = redis.execute(&["INCR", "commands:key"]).unwrap_err();
    assert!(refused.to_string().contains("not an integer"), "{refused}");
}

#[test]
fn a_killed_server_comes_back_empty_at_its_port() {
    let redis = Redis::start().unwrap();
    let url = redis.url();
    for _ in 0..3 {
        assert_eq!(redis.execute(&["DBSIZE"]).unwrap(), "0");
        redis.execute(&["SET", "key", "value"]).unwrap();
        redis.kill().unwrap();
        assert!(TcpStream::connect(("127.0.0.1", redis.port())).is_err());
        redis.start_again().unwrap();
    }
    redis.restart().unwrap();
    assert_eq!(redis.url(), url);
}

#[test]
fn a_paused_server_answers_when_it_goes_on() {
    let redis = Redis::start().unwrap();
    redis.pause().unwrap();
    thread::scope(|scope| {
        let asked = scope.spawn(|| redis.execute(&["PING"]));
        assert!(TcpStream::connect(("127.0.0.1", redis.port())).is_ok());
        assert!(!asked.is_finished());
        redis.resume().unwrap();
        assert_eq!(asked.join().unwrap().unwrap(), "PONG");
    });
}

#[test]
fn a_password_is_asked_for_whatever_it_holds() {
    let builder = Redis::builder().password("a:\"b\\ $c/@").setting("maxmemory", "64mb");
    let redis = builder.start().unwrap();
    assert!(redis.url().starts_with("redis://:a%3A%22b%5C%20%24c%2F%40@127.0.0.1:"));
    assert_eq!(redis.execute(&["PING"]).unwrap(), "PONG");
    let limit = redis.execute(&["CONFIG", "GET", "maxmemory"]).unwrap();
    assert!(limit.ends_with(&(64 << 20).to_string()), "{limit}");
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let refused = Redis::builder().setting("maxmemory", "much").start().unwrap_err();
    assert!(refused.to_string().contains("maxmemory"), "{refused}");
}

#[test]
fn a_cluster_is_whole_again_when_its_lost_node_comes_back() {
    let cluster = RedisCluster::start().unwrap();
    assert_eq!(cluster.urls().len(), 3);
    let keys: Vec<String> = (0..64).map(|n| format!("key {n}")).collect();
    let owners: Vec<usize> = keys.iter().map(|key| cluster.node_of(key).unwrap()).collect();
    for (key, owner) in keys.iter().zip(&owners) {
        cluster.node(*owner).execute(&["SET", key, "value"]).unwrap();
        let moved = cluster.node((owner + 1) % 3).execute(&["GET", key]).unwrap_err();
        let owner = format!("127.0.0.1:{}", cluster.node(*owner).port());
        assert!(moved.to_string().contains("MOVED") && moved.to_string().contains(&owner));
    }
    assert!((0..3).all(|node| owners.contains(&node)));
    cluster.node(1).kill().unwrap();
    wait_until(|| {
        let information = cluster.node(0).execute(&["CLUSTER", "INFO"]).unwrap();
        information.contains("cluster_state:fail")
    });
    cluster.node(1).start_again().unwrap();
    cluster.wait_until_whole().unwrap();
    let on_first = keys.iter().zip(&owners).find(|(_, owner)| **owner == 0).unwrap().0;
    assert_eq!(cluster.node(0).execute(&["GET", on_first]).unwrap(), "value");
    assert_eq!(cluster.node(1).execute(&["DBSIZE"]).unwrap(), "0");
}

#[test]
fn a_cluster_asks_for_a_password() {
    let cluster = Redis::builder().password("secret").start_cluster().unwrap();
    assert!(cluster.urls().iter().all(|url| url.starts_with("redis://:secret@127.0.0.1:")));
}
