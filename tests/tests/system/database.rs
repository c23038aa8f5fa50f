//! The database comes and goes under load: nothing acknowledged is lost or doubled, clients are told
//! to try again, and what needs no database goes on.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use chat_test_servers::Postgres;
use serde_json::json;
use tokio::sync::Notify;

use crate::home::Home;
use crate::person::Person;
use crate::server::Server;
use crate::soon;

const ROUNDS: usize = 20;
const SENDERS: [&str; 3] = ["ada", "bo", "cy"];
/// Short times, so that a round is short; and nobody is given up who reads nothing for some rounds.
const QUICK: [&str; 11] = [
    "--dev",
    "--set",
    "heartbeat.ping_interval_ms=3600000",
    "--set",
    "limits.messages_per_second=100000",
    "--set",
    "store.call_timeout_ms=1000",
    "--set",
    "store.statement_timeout_ms=600",
    "--set",
    "store.lock_timeout_ms=600",
];

pub(crate) async fn migrations_are_told_before_they_are_made(home: Home) {
    let (good, printed) = Server::command(&home, &["migrate", "--check"]).await;
    assert!(!good && printed.contains("1 initial") && printed.contains("not up to date"));
    let (good, printed) = Server::command(&home, &["migrate"]).await;
    assert!(good, "{printed}");
    let server = Server::start(&home).await;
    let (good, printed) = Server::command(&home, &["migrate", "--check"]).await;
    assert!(good && printed.contains("is up to date"), "beside a server: {printed}");
    server.stop().await;
}

/// What can happen to a database server.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// It stands still, and its connections stay open.
    Frozen,
    /// It is gone without a word.
    Killed,
    /// It is stopped by an operator.
    Stopped,
}

impl Fault {
    const ALL: [Self; 3] = [Self::Frozen, Self::Killed, Self::Stopped];

    async fn begin(self, postgres: &Arc<Postgres>) {
        blocking(postgres, move |postgres| match self {
            Self::Frozen => postgres.pause().unwrap(),
            Self::Killed => postgres.kill().unwrap(),
            Self::Stopped => postgres.stop().unwrap(),
        })
        .await;
    }

    async fn end(self, postgres: &Arc<Postgres>) {
        blocking(postgres, move |postgres| match self {
            Self::Frozen => postgres.resume().unwrap(),
            Self::Killed | Self::Stopped => postgres.start_again().unwrap(),
        })
        .await;
    }
}

async fn blocking(postgres: &Arc<Postgres>, work: impl FnOnce(&Postgres) + Send + 'static) {
    let postgres = Arc::clone(postgres);
    tokio::task::spawn_blocking(move || work(&postgres)).await.unwrap();
}

/// What all senders have seen together.
#[derive(Debug, Default)]
struct Progress {
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    changed: Notify,
}

impl Progress {
    fn count(&self, counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Waits until a counter has gone on by so many.
    async fn more(&self, what: &str, counter: &AtomicUsize, more: usize) {
        let wanted = counter.load(Ordering::SeqCst) + more;
        soon(what, async {
            loop {
                let changed = self.changed.notified();
                if counter.load(Ordering::SeqCst) >= wanted {
                    return;
                }
                changed.await;
            }
        })
        .await;
    }
}

/// Sends one message after another, each until it is acknowledged; returns the numbers by client id.
async fn send_until_told(
    mut person: Person,
    name: &'static str,
    room: String,
    progress: Arc<Progress>,
    stop: Arc<AtomicUsize>,
) -> BTreeMap<String, u64> {
    let mut acknowledged = BTreeMap::new();
    while stop.load(Ordering::SeqCst) == 0 {
        let client_id = format!("{name}-{}", acknowledged.len() + 1);
        let payload = json!({"conversationId": room, "clientId": client_id, "content": client_id});
        loop {
            match person.tries("message.send", payload.clone()).await {
                Ok(reply) => {
                    acknowledged.insert(client_id, reply["message"]["seq"].as_u64().unwrap());
                    progress.count(&progress.acknowledged);
                    break;
                }
                Err(error) => {
                    assert_eq!(error["code"], "unavailable", "{error}");
                    let again = error["retryAfterMs"].as_u64().expect("when to try again");
                    assert!((1..=60_000).contains(&again), "{error}");
                    progress.count(&progress.refused);
                    tokio::time::sleep(Duration::from_millis(again.min(200))).await;
                }
            }
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_while_postgres_comes_and_goes() {
    let postgres = Arc::new(Postgres::start().unwrap());
    let home = Home::on(postgres.create_database().unwrap());
    let server = Server::start_with(&home, &QUICK).await;
    let tokens = futures::future::join_all(SENDERS.map(|name| server.host_token(name))).await;
    let room = room_of(&server, &tokens).await;
    // Two who are elsewhere: one types, the other watches.
    let mut typist = Person::connect(&server, &server.host_token("dee").await).await;
    let mut watcher = Person::connect(&server, &server.host_token("eve").await).await;
    let corner = typist.opens("eve").await;
    let watching = tokio::spawn(watch(Person::connect(&server, &tokens[2]).await));

    let progress = Arc::new(Progress::default());
    let stop = Arc::new(AtomicUsize::new(0));
    let mut sending = Vec::new();
    for (name, token) in SENDERS.into_iter().zip(&tokens) {
        let person = Person::connect(&server, token).await;
        let (progress, stop) = (Arc::clone(&progress), Arc::clone(&stop));
        sending.push(tokio::spawn(send_until_told(person, name, room.clone(), progress, stop)));
    }

    let mut dice = Dice::new();
    for round in 1..=ROUNDS {
        progress.more("sends", &progress.acknowledged, 1 + dice.throw(20)).await;
        let fault = Fault::ALL[dice.throw(Fault::ALL.len())];
        fault.begin(&postgres).await;
        progress
            .more(&format!("a refusal in round {round}, {fault:?}"), &progress.refused, 3)
            .await;
        if round % 4 == 1 {
            typist.does("typing.start", json!({"conversationId": corner})).await;
            let typing = watcher.event("typing.started").await;
            assert_eq!(typing["userId"], "dee", "typing needs no database");
            typist.does("typing.stop", json!({"conversationId": corner})).await;
            watcher.event("typing.stopped").await;
            let readiness = server.readiness().await;
            assert_eq!(readiness.status, 503, "{}", readiness.body);
            assert!(readiness.body.contains("store"), "says why: {}", readiness.body);
        }
        fault.end(&postgres).await;
        progress.more(&format!("sends after {fault:?}"), &progress.acknowledged, 3).await;
    }
    soon("readiness", async { while server.readiness().await.status != 200 {} }).await;
    stop.store(1, Ordering::SeqCst);
    let mut acknowledged = BTreeMap::new();
    for sending in sending {
        acknowledged.extend(soon("the last answers", sending).await.unwrap());
    }

    // Nobody was disconnected, and everybody was told everything, once and in order.
    let mut ada = Person::connect(&server, &tokens[0]).await;
    let last = ada.sends(&room, "the last").await["seq"].as_u64().unwrap();
    let seen = soon("the last message", watching).await.unwrap();
    assert_eq!(seen, (1..=last).collect::<Vec<_>>());
    let stored = server.history(&tokens[0], &room).await;
    assert!(stored.iter().map(|m| m["seq"].as_u64().unwrap()).eq(1..=last), "no hole");
    let ids: HashSet<_> = stored.iter().map(|m| m["clientId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), stored.len(), "nothing is stored twice");
    for (client_id, seq) in &acknowledged {
        let message = &stored[usize::try_from(*seq).unwrap() - 1];
        assert_eq!(message["clientId"], client_id.as_str(), "where it was said to be");
    }
    assert_eq!(stored.len(), acknowledged.len() + 1, "all that was sent was acknowledged");
}

/// Takes in messages up to the last; returns their numbers.
async fn watch(mut person: Person) -> Vec<u64> {
    let mut seen = Vec::new();
    loop {
        let message = person.event("message.created").await;
        seen.push(message["message"]["seq"].as_u64().unwrap());
        if message["message"]["content"] == "the last" {
            return seen;
        }
    }
}

async fn room_of(server: &Server, tokens: &[String]) -> String {
    let room = json!({"kind": "room", "name": "general"});
    let made = server.request("POST", "/conversations", Some(&tokens[0]), Some(room)).await;
    let room = made.json()["id"].as_str().unwrap().to_owned();
    for token in &tokens[1..] {
        let join = format!("/conversations/{room}/join");
        assert_eq!(server.request("POST", &join, Some(token), None).await.status, 200);
    }
    room
}

/// Random numbers from a seed that a failing test prints (xorshift).
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let seed = match std::env::var("CHAT_TEST_SEED") {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => u64::from(now.subsec_nanos()) | 1,
        };
        println!("CHAT_TEST_SEED={seed}");
        Self(seed)
    }

    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// A file system of 8 MiB that only the server sees, with its folder in it.
const SMALL_DISK: &str = r#"mount -t tmpfs -o size=8m,mode=700 tmpfs "$1" && shift && exec "$@""#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_and_recovers() {
    let home = Home::on_sqlite();
    let folder = home.folder().to_str().unwrap();
    let mut runner = vec!["unshare", "--mount"];
    if !is_root().await {
        runner.extend(["--user", "--map-root-user"]);
    }
    runner.extend(["sh", "-c", SMALL_DISK, "small-disk", folder]);
    let server = Server::start_under(&runner, &home, &QUICK).await;
    // The folder as the server sees it.
    let disk = format!("/proc/{}/root{folder}", server.process_id());
    let tokens = futures::future::join_all(["ada", "bo"].map(|name| server.host_token(name))).await;
    let room = room_of(&server, &tokens).await;
    let mut ada = Person::connect(&server, &tokens[0]).await;
    let mut bo = Person::connect(&server, &tokens[1]).await;
    ada.sends(&room, "before").await;
    assert_eq!(server.readiness().await.status, 200);

    let ballast = format!("{disk}/ballast");
    fill(&ballast);
    let mut stored = 1;
    let text = "x".repeat(4_000);
    let send =
        |n: usize| json!({"conversationId": room, "clientId": format!("m-{n}"), "content": text});
    // What is left in files that are there already is used up first.
    let refusal = loop {
        match ada.tries("message.send", send(stored)).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 5_000, "the disk is full");
    };
    assert_eq!(refusal["code"], "unavailable", "{refusal}");
    assert!(refusal["message"].as_str().unwrap().contains("no room"), "{refusal}");
    assert!(refusal["retryAfterMs"].as_u64().unwrap() > 0, "{refusal}");
    for _ in 0..10 {
        assert!(ada.tries("message.send", send(stored)).await.is_err(), "still refused");
    }
    assert_eq!(server.history(&tokens[1], &room).await.len(), stored, "reads go on");
    let readiness = soon("a red light", async {
        loop {
            let readiness = server.readiness().await;
            if readiness.status != 200 {
                break readiness;
            }
        }
    })
    .await;
    assert_eq!(readiness.status, 503, "{}", readiness.body);
    assert!(readiness.body.contains("the store is full"), "{}", readiness.body);

    std::fs::remove_file(&ballast).unwrap();
    soon("room", async { while ada.tries("message.send", send(stored)).await.is_err() {} }).await;
    ada.sends(&room, "after").await;
    bo.sees("after").await;
    let messages = server.history(&tokens[1], &room).await;
    assert!(messages.iter().map(|m| m["seq"].as_u64().unwrap()).eq(1..=stored as u64 + 2));
    soon("readiness", async { while server.readiness().await.status != 200 {} }).await;
    server.stop().await;
}

async fn is_root() -> bool {
    let id = tokio::process::Command::new("id").arg("-u").output().await.unwrap();
    id.stdout.trim_ascii() == b"0"
}

/// Writes a file until nothing more fits.
fn fill(path: &str) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    for size in [64 * 1024, 4 * 1024, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}
