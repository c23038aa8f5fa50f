//! Floods and slow readers: bounded, and nobody else notices.

use futures::SinkExt;
use serde_json::json;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

use crate::person::Person;
use crate::server::Server;

#[tokio::test]
async fn a_flood_of_messages_is_refused_with_a_time_to_come_back() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path()).await;
    let (ada, bo) = (server.host_token("ada").await, server.host_token("bo").await);
    let mut ada = Person::connect(&server, &ada).await;
    let _bo = Person::connect(&server, &bo).await;
    let place = ada.opens("bo").await;
    let mut ids = Vec::new();
    for n in 0..60 {
        let payload = json!({"conversationId": place, "content": n.to_string()});
        ids.push(ada.begin("message.send", payload).await.unwrap());
    }
    let mut acknowledged = Vec::new();
    for id in ids {
        match ada.answer(id).await.unwrap() {
            Ok(reply) => acknowledged.push(reply["message"]["seq"].as_u64().unwrap()),
            Err(error) => {
                assert_eq!(error["code"], "rate_limited");
                assert!(error["retryAfterMs"].as_u64().is_some_and(|ms| ms > 0));
            }
        }
    }
    assert!((30..60).contains(&acknowledged.len()), "{}", acknowledged.len());
    assert!(acknowledged.iter().copied().eq(1..=acknowledged.len() as u64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_is_closed_resumes_and_costs_bounded_memory() {
    let folder = TempDir::new().unwrap();
    let unlimited = ["--dev", "--set", "limits.messages_per_second=100000"];
    let server = Server::start_with(folder.path(), &unlimited).await;
    let tokens = [
        server.host_token("ada").await,
        server.host_token("bo").await,
        server.host_token("cy").await,
    ];
    let mut ada = Person::connect(&server, &tokens[0]).await;
    let made = ada.does("conversation.create", json!({"name": "general"})).await;
    let room = made["conversation"]["id"].as_str().unwrap().to_owned();
    let mut stuck = Person::connect(&server, &tokens[1]).await;
    let mut reader = Person::connect(&server, &tokens[2]).await;
    for person in [&mut stuck, &mut reader] {
        person.does("conversation.join", json!({"conversationId": room})).await;
    }
    let before = server.resident();
    // Far more than the outbox and the socket's buffers together hold.
    let (rounds, each) = (150, 10);
    let text = "\u{1f600}".repeat(3_900);
    for round in 0..rounds {
        let mut ids = Vec::new();
        for _ in 0..each {
            let payload = json!({"conversationId": room, "content": text});
            ids.push(ada.begin("message.send", payload).await.unwrap());
        }
        for id in ids {
            ada.answer(id).await.unwrap().unwrap();
        }
        for _ in 0..each {
            reader.event("message.created").await;
            ada.event("message.created").await;
        }
        let now = server.resident();
        assert!(now < before + 64 * 1024, "round {round}: {before} KiB became {now} KiB");
    }
    // The one that did not read is at its end, and finds all of it when it comes back.
    let code = stuck.closed().await;
    assert!(matches!(code, Some(4001) | None), "{code:?}");
    let mut back = Person::connect(&server, &tokens[1]).await;
    let history = json!({"conversationId": room, "limit": 1});
    let last = back.does("history.load", history).await;
    assert_eq!(last["data"][0]["seq"], rounds * each);
}

#[tokio::test]
async fn a_flood_of_pings_does_no_harm() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path()).await;
    let token = server.host_token("ada").await;
    let mut ada = Person::connect(&server, &token).await;
    for _ in 0..500 {
        if ada.socket.feed(Message::Ping(vec![0; 100].into())).await.is_err() {
            break;
        }
    }
    let _ = ada.socket.flush().await;
    let mut other = Person::connect(&server, &token).await;
    other.does("ping", json!({})).await;
}

#[tokio::test]
async fn a_reader_that_stops_is_closed_at_once_when_its_login_ends() {
    let folder = TempDir::new().unwrap();
    let unlimited = [
        "--dev",
        "--set",
        "limits.messages_per_second=100000",
        "--set",
        "limits.message_burst=9999",
    ];
    let server = Server::start_with(folder.path(), &unlimited).await;
    let bo = server.register("bo").await;
    let mut ada = Person::connect(&server, &server.host_token("ada").await).await;
    let mut stuck = Person::connect(&server, &bo).await;
    let place = ada.opens("bo").await;
    // Enough for the server to be stuck in a write, too little for the outbox to overflow.
    let text = "\u{1f600}".repeat(3_900);
    for _ in 0..300 {
        ada.sends(&place, &text).await;
        ada.event("message.created").await;
    }
    let before = tokio::time::Instant::now();
    assert_eq!(server.request("POST", "/auth/logout", Some(&bo), None).await.status, 204);
    // Once the reader reads again, what was on its way is all there is.
    let code = stuck.closed().await;
    assert!(matches!(code, Some(4501 | 4001) | None), "{code:?} after {:?}", before.elapsed());
}
