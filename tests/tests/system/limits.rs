//! Floods and slow readers: bounded, and nobody else notices.

use futures::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::home::Home;
use crate::person::{Person, refused};
use crate::server::Server;

pub(crate) async fn a_flood_of_messages_is_refused_with_a_time_to_come_back(home: Home) {
    // So slow a rate that the time this takes adds nothing to what may be sent.
    let slow = ["--dev", "--set", "limits.messages_per_second=1"];
    let server = Server::start_with(&home, &slow).await;
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

/// So fast that no message is refused, and so patient with writes that only the bound of what waits
/// can end a connection.
const UNLIMITED: [&str; 7] = [
    "--dev",
    "--set",
    "limits.messages_per_second=100000",
    "--set",
    "limits.message_burst=100000",
    "--set",
    "websocket.write_timeout_ms=600000",
];

pub(crate) async fn a_reader_that_stops_is_closed_resumes_and_costs_bounded_memory(home: Home) {
    let server = Server::start_with(&home, &UNLIMITED).await;
    let tokens = [
        server.host_token("ada").await,
        server.host_token("bo").await,
        server.host_token("cy").await,
    ];
    let mut ada = Person::connect(&server, &tokens[0]).await;
    let made = ada.does("conversation.create", json!({"name": "general"})).await;
    let room = made["conversation"]["id"].as_str().unwrap().to_owned();
    let mut reader = Person::connect(&server, &tokens[2]).await;
    reader.does("conversation.join", json!({"conversationId": room})).await;
    let text = "\u{1f600}".repeat(3_900);
    // What the server needs to carry so much, without anybody who stops.
    carry(&mut ada, &mut reader, &room, &text).await;
    let before = server.resident();

    let mut stuck = Vec::new();
    for _ in 0..8 {
        let mut person = Person::connect(&server, &tokens[1]).await;
        person.does("conversation.join", json!({"conversationId": room})).await;
        stuck.push(person);
    }
    // 12 MB for each of them: far more than outboxes and sockets hold.
    carry(&mut ada, &mut reader, &room, &text).await;
    let after = server.resident();
    assert!(after < before + 64 * 1024, "{before} KiB became {after} KiB");
    for person in &mut stuck {
        // The close frame may find no room behind what was not read.
        let code = person.closed().await;
        assert!(matches!(code, Some(4001) | None), "{code:?}");
    }
    let mut back = Person::connect(&server, &tokens[1]).await;
    let last = back.does("history.load", json!({"conversationId": room, "limit": 1})).await;
    assert_eq!(last["data"][0]["seq"], 2 * 800);
}

/// Sends 800 messages, ten in one go, to somebody who reads them.
async fn carry(sender: &mut Person, reader: &mut Person, room: &str, text: &str) {
    for _ in 0..80 {
        let mut ids = Vec::new();
        for _ in 0..10 {
            let payload = json!({"conversationId": room, "content": text});
            ids.push(sender.begin("message.send", payload).await.unwrap());
        }
        for id in ids {
            sender.answer(id).await.unwrap().unwrap();
        }
        for _ in 0..10 {
            reader.event("message.created").await;
            sender.event("message.created").await;
        }
    }
}

pub(crate) async fn a_flood_of_pings_does_no_harm(home: Home) {
    let server = Server::start(&home).await;
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

/// So slow that the time this takes adds nothing.
const FEW_READS: [&str; 9] = [
    "--dev",
    "--set",
    "limits.reads_per_second=1",
    "--set",
    "limits.read_burst=40",
    "--set",
    "limits.signals_per_second=1",
    "--set",
    "limits.signal_burst=40",
];

pub(crate) async fn what_one_user_reads_and_signals_is_limited_over_both_transports_together(
    home: Home,
) {
    let server = Server::start_with(&home, &FEW_READS).await;
    let tokens = [server.host_token("ada").await, server.host_token("bo").await];
    let mut ada = Person::connect(&server, &tokens[0]).await;
    let mut bo = Person::connect(&server, &tokens[1]).await;
    let place = ada.opens("bo").await;
    // Half of it over each.
    let (mut by_socket, mut by_request) = (0, 0);
    let path = format!("/conversations/{place}/messages");
    for _ in 0..40 {
        let page = json!({"conversationId": place});
        match ada.begin("history.load", page).await {
            Some(id) => match ada.answer(id).await.unwrap() {
                Ok(_) => by_socket += 1,
                Err(error) => assert_eq!(error["code"], "rate_limited"),
            },
            None => panic!("the connection has ended"),
        }
        let answer = server.request("GET", &path, Some(&tokens[0]), None).await;
        match answer.status {
            200 => by_request += 1,
            status => {
                assert_eq!((status, answer.code().as_str()), (429, "rate_limited"));
                assert!(answer.header("retry-after").is_some(), "{}", answer.head);
            }
        }
    }
    assert!(by_socket > 0 && by_request > 0, "{by_socket} and {by_request}");
    let read = by_socket + by_request;
    assert!((39..=60).contains(&read), "{read} of 80 were read");
    // Nobody else is limited by that, and neither is what ada sends.
    bo.does("history.load", json!({"conversationId": place})).await;
    ada.does("message.send", json!({"conversationId": place, "content": "hi"})).await;

    let mut told = 0;
    for n in 0..60 {
        let kind = if n % 2 == 0 { "typing.start" } else { "typing.stop" };
        let id = ada.begin(kind, json!({"conversationId": place})).await.unwrap();
        told += usize::from(ada.answer(id).await.unwrap().is_ok());
    }
    assert!((40..60).contains(&told), "{told} of 60 signals passed");
    ada.does("message.send", json!({"conversationId": place, "content": "last"})).await;
    let mut turns = 0;
    loop {
        let frame = bo.frame().await.unwrap();
        let kind = frame["type"].as_str().unwrap();
        turns += usize::from(kind.starts_with("typing."));
        if kind == "message.created" && frame["payload"]["message"]["content"] == "last" {
            break;
        }
    }
    // Four at once and two a second: however slow this machine is, not all of them.
    assert!(turns < told, "{turns} turns of {told}");
}

pub(crate) async fn requests_of_an_address_are_limited_before_a_credential_is_looked_at(
    home: Home,
) {
    let settings = [
        "--dev",
        "--set",
        "connections.limit_loopback=true",
        "--set",
        "http.requests_per_second=1",
        "--set",
        "http.request_burst=50",
    ];
    let server = Server::start_with(&home, &settings).await;
    let wrong = [("authorization", "Bearer nobody")];
    let mut statuses = Vec::new();
    for _ in 0..100 {
        let answer = server.request("GET", "/conversations", Some("nobody"), None).await;
        if answer.status == 429 {
            assert_eq!(answer.code(), "rate_limited");
            assert!(answer.json()["retryAfterMs"].as_u64().is_some_and(|ms| ms > 0));
            assert!(answer.header("retry-after").is_some(), "{}", answer.head);
        }
        statuses.push(answer.status);
    }
    assert!(statuses.contains(&401), "{statuses:?}");
    let limited = statuses.iter().filter(|status| **status == 429).count();
    assert!(limited >= 20, "{limited} of 100 were limited");
    // A handshake is a request as well; between the two a second may pass.
    let handshakes = [
        refused(&server, "/api/chat/ws", &wrong).await,
        refused(&server, "/api/chat/ws", &wrong).await,
        refused(&server, "/api/chat/ws", &wrong).await,
    ];
    assert!(handshakes.contains(&429), "{handshakes:?}");
}
