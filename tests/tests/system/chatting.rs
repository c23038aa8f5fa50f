//! Two people chat, from sign-up to a restart.

use serde_json::json;

use crate::home::Home;
use crate::http;
use crate::person::Person;
use crate::server::Server;

pub(crate) async fn two_people_register_and_talk_and_a_restart_loses_nothing(home: Home) {
    let server = Server::start(&home).await;
    let (ada_token, bo_token) = (server.register("ada").await, server.register("bo").await);
    let mut ada = Person::connect(&server, &ada_token).await;
    let mut bo = Person::connect(&server, &bo_token).await;

    let place = ada.opens("bo").await;
    bo.event("conversation.created").await;
    ada.does("typing.start", json!({"conversationId": place})).await;
    bo.event("typing.started").await;
    ada.sends(&place, "hello \u{1f44b}").await;
    let seen = bo.sees("hello \u{1f44b}").await;
    assert_eq!(seen["message"]["seq"], 1);
    let count = server.get("/conversations/unread-count", &bo_token).await;
    assert_eq!(count["unread"], 1);

    let room = json!({"kind": "room", "name": "general", "visibility": "public"});
    let made = server.request("POST", "/conversations", Some(&ada_token), Some(room)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let room = made.json()["id"].as_str().unwrap().to_owned();
    let rooms = server.get("/rooms", &bo_token).await;
    assert_eq!(rooms["data"][0]["name"], "general");
    let join = format!("/conversations/{room}/join");
    assert_eq!(server.request("POST", &join, Some(&bo_token), None).await.status, 200);
    ada.wait_for(|f| {
        f["type"] == "member.joined" && f["payload"]["member"]["userId"] != json!(null)
    })
    .await;
    bo.sends(&room, "to all").await;
    ada.sees("to all").await;
    let message = json!({"content": "by REST", "clientId": "r1"});
    let path = format!("/conversations/{room}/messages");
    let sent = server.request("POST", &path, Some(&ada_token), Some(message.clone())).await;
    assert_eq!(sent.status, 201, "{}", sent.body);
    let again = server.request("POST", &path, Some(&ada_token), Some(message)).await;
    assert_eq!((again.status, &again.json()["id"]), (200, &sent.json()["id"]));
    bo.sees("by REST").await;
    let members = server.get(&format!("/conversations/{room}/members"), &bo_token).await;
    assert_eq!(members["data"].as_array().unwrap().len(), 2);

    server.stop().await;
    assert_eq!(ada.closed().await, Some(4000), "told to come back");
    let server = Server::start(&home).await;
    let history = server.get(&path, &bo_token).await;
    let texts: Vec<_> = history["data"].as_array().unwrap().iter().map(|m| &m["content"]).collect();
    assert_eq!(texts, ["to all", "by REST"]);
    let mut bo = Person::connect(&server, &bo_token).await;
    let direct = bo.ready["conversations"].as_array().unwrap().iter();
    let direct = direct.clone().find(|c| c["kind"] == "direct").unwrap();
    assert_eq!((&direct["unread"], &direct["preview"]["seq"]), (&json!(1), &json!(1)));
    let read = bo.does("receipt.read", json!({"conversationId": place})).await;
    assert_eq!(read, json!({"read": 1, "seq": 1, "unread": 0, "throughSeq": 1}));
}

pub(crate) async fn what_was_sent_while_somebody_was_away_arrives_once_and_in_order(home: Home) {
    let server = Server::start(&home).await;
    let (ada_token, bo_token) = (server.host_token("ada").await, server.host_token("bo").await);
    let mut ada = Person::connect(&server, &ada_token).await;
    let mut bo = Person::connect(&server, &bo_token).await;
    let place = ada.opens("bo").await;
    ada.sends(&place, "0").await;
    let known = bo.sees("0").await["changeSeq"].clone();
    drop(bo);
    for n in 1..=20 {
        ada.sends(&place, &n.to_string()).await;
    }
    server.kill().await;
    let server = Server::start(&home).await;
    let mut bo = Person::connect(&server, &bo_token).await;
    assert_eq!(bo.ready["conversations"][0]["unread"], 21);
    let resume = bo.begin("session.resume", json!({"cursors": {&place: known}})).await.unwrap();
    let mut texts = Vec::new();
    let reply = loop {
        let frame = bo.frame().await.unwrap();
        if frame["id"] == resume {
            break frame;
        }
        texts.push(frame["payload"]["message"]["content"].as_str().unwrap().to_owned());
    };
    assert_eq!(texts, (1..=20).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(reply["payload"], json!({"replayed": 20, "reset": []}));
}

pub(crate) async fn the_page_and_the_health_check_are_served(home: Home) {
    let server = Server::start(&home).await;
    let page = http::request(server.address, "GET", "/", &[], None).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<html"), "{}", page.body);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("trusted-types"), "{policy}");
    let health = http::request(server.address, "GET", "/healthz", &[], None).await;
    assert_eq!(health.status, 200);
}
