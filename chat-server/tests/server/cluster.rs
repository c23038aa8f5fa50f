//! Servers of a cluster: what they refuse to start with, and what they share.

use std::time::Duration;

use chat_server::config::{ClusterUrl, Config, DatabaseUrl};
use chat_server::{EngineError, Server, StartError};
use chat_test_servers::{Database, Nats, Postgres, Redis};
use futures::future::join3;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{PATIENCE, TestServer};

const SECRET: &str = "one secret for all servers of a cluster";

/// Development on a database that others share, with a broker or without.
fn shared(database: &Database, namespace: &str, broker: &[&str]) -> impl Fn(&mut Config) + use<> {
    let url = DatabaseUrl::try_from(database.url.clone()).unwrap();
    let namespace = namespace.parse().unwrap();
    let brokers: Vec<_> =
        broker.iter().map(|url| ClusterUrl::try_from((*url).to_owned()).unwrap()).collect();
    move |config| {
        config.store.url = Some(url.clone());
        config.jwt.secret = Some(SECRET.to_owned().into());
        config.cluster.url.clone_from(&brokers);
        config.cluster.namespace = Clone::clone(&namespace);
        config.cluster.timeout_ms = 2_000;
    }
}

/// A server that does not start, and why.
async fn refused(change: impl Fn(&mut Config)) -> StartError {
    let data = tempfile::tempdir().unwrap();
    let mut config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data: data.path().join("chat"),
        ..Config::development()
    };
    change(&mut config);
    let binding = timeout(PATIENCE, Server::bind(config)).await;
    binding.expect("an answer in time").unwrap_err()
}

/// An error and its causes.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn servers_that_start_at_once_prepare_one_set_of_demo_accounts() {
    let database = Postgres::shared().create_database().unwrap();
    let start = || TestServer::start(shared(&database, "chat", &[]));
    let (one, two, three) = join3(start(), start(), start()).await;
    let login = json!({"username": "demo-ada", "password": "demo-ada-1815"}).to_string();
    let answer = one.post("/api/chat/auth/login", &login).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    let head = format!("GET /api/chat/conversations HTTP/1.1\r\nauthorization: Bearer {token}");
    for server in [&one, &two, &three] {
        assert_eq!(server.me(&token).await.status, 200, "a login holds everywhere");
        let list = server.request(&head, "").await.json();
        let names: Vec<&Value> =
            list["data"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        let rooms = names.iter().filter(|name| name.as_str() == Some("lobby")).count();
        assert_eq!((names.len(), rooms), (2, 1), "{list}");
    }
    for server in [one, two, three] {
        server.stop().await;
    }
}

#[tokio::test]
async fn a_development_token_of_one_server_is_good_at_the_others() {
    let database = Postgres::shared().create_database().unwrap();
    let change = shared(&database, "chat", &[]);
    let one = TestServer::start(&change).await;
    let two = TestServer::start(&change).await;
    let token = one.token_for("u-1").await;
    assert_eq!(two.me(&token).await.status, 200);
    let earnest = TestServer::start(|config| {
        change(config);
        config.dev = false;
    })
    .await;
    assert_eq!(earnest.me(&token).await.status, 401, "worth nothing outside of development");
    for server in [one, two, earnest] {
        server.stop().await;
    }
}

#[tokio::test]
async fn a_broker_that_does_not_answer_is_named_without_its_password() {
    let database = Postgres::shared().create_database().unwrap();
    // Nobody listens on the port of a server that was killed.
    let nats = Nats::start().unwrap();
    let redis = Redis::start().unwrap();
    nats.kill().unwrap();
    redis.kill().unwrap();
    for url in [
        format!("nats://chat:s3cret@127.0.0.1:{}", nats.port()),
        format!("redis://chat:s3cret@127.0.0.1:{}", redis.port()),
    ] {
        let place = url.rsplit_once('@').unwrap().1;
        let error = refused(shared(&database, "chat", &[&url])).await;
        assert!(matches!(&error, StartError::Engine(EngineError::Cluster(_))), "{error:?}");
        let told = told(&error);
        assert!(told.contains("cluster.url") && told.contains(place), "{told}");
        assert!(told.contains("is it running"), "{told}");
        assert!(!format!("{told}{error:?}").contains("s3cret"), "{told}");
    }
}

#[tokio::test]
async fn a_wrong_password_for_the_broker_is_told_as_one() {
    let database = Postgres::shared().create_database().unwrap();
    let nats = Nats::builder().user("chat", "right").start().unwrap();
    let redis = Redis::builder().password("right").start().unwrap();
    for url in [
        nats.url().replace("right", "s3cret"),
        redis.url().replace("right", "s3cret"),
        format!("nats://127.0.0.1:{}", nats.port()),
        format!("redis://127.0.0.1:{}", redis.port()),
    ] {
        let error = refused(shared(&database, "chat", &[&url])).await;
        let told = told(&error);
        assert!(told.contains("check name and password"), "{url}: {told}");
        assert!(!format!("{told}{error:?}").contains("s3cret"), "{told}");
    }
}

/// Ada at one server and Ben at another hear of each other at once, and each server says when its
/// broker does not answer.
async fn speak_through(url: &str, namespace: &str, pause: impl FnOnce()) {
    let database = Postgres::shared().create_database().unwrap();
    let change = shared(&database, namespace, &[url]);
    let one = TestServer::start(&change).await;
    let two = TestServer::start(&change).await;
    for server in [&one, &two] {
        assert_eq!(server.get("/readyz").await.status, 200);
    }
    let mut ada = one.device("ada").await;
    let mut ben = two.device("ben").await;
    let open = "{\"id\":1,\"type\":\"conversation.open\",\"payload\":{\"userId\":\"ben\"}}";
    ada.sends(open).await;
    ada.reads("\"reply\"").await;
    ben.reads("conversation.created").await;
    let token = one.token_for("ada").await;
    let head = format!("GET /api/chat/conversations HTTP/1.1\r\nauthorization: Bearer {token}");
    let list = one.request(&head, "").await.json();
    let id = list["data"][0]["id"].as_str().unwrap().to_owned();
    let head = format!(
        "POST /api/chat/conversations/{id}/messages HTTP/1.1\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json"
    );
    let sent = one.request(&head, "{\"content\": \"from one to the other\"}").await;
    assert_eq!(sent.status, 201, "{sent:?}");
    // Well within the ten seconds after which a server compares with the database.
    timeout(Duration::from_secs(5), ben.reads("from one to the other")).await.expect("at once");
    pause();
    let red = async {
        loop {
            let answer = two.get("/readyz").await;
            if answer.status == 503 {
                return answer;
            }
        }
    };
    let answer = timeout(PATIENCE, red).await.expect("not ready in time");
    assert!(answer.json()["reason"].as_str().unwrap().starts_with("broker"), "{answer:?}");
}

#[tokio::test]
async fn servers_are_one_through_nats() {
    let nats = Nats::start().unwrap();
    speak_through(&nats.url(), "chat", || nats.pause().unwrap()).await;
    nats.resume().unwrap();
}

#[tokio::test]
async fn servers_are_one_through_redis() {
    let redis = Redis::start().unwrap();
    speak_through(&redis.url(), "chat", || redis.pause().unwrap()).await;
    redis.resume().unwrap();
}
