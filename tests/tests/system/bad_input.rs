//! What a careless or hostile client sends: each has its code, and the server goes on.

use futures::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::home::Home;
use crate::http;
use crate::person::Person;
use crate::server::Server;

pub(crate) async fn every_bad_frame_has_its_code_and_the_connection_goes_on(home: Home) {
    let server = Server::start(&home).await;
    let (ada, bo) = (server.host_token("ada").await, server.host_token("bo").await);
    let mut bo = Person::connect(&server, &bo).await;
    let room =
        bo.does("conversation.create", json!({"name": "closed", "visibility": "private"})).await;
    let room = room["conversation"]["id"].clone();
    let mut ada = Person::connect(&server, &ada).await;
    let place = ada.opens("bo").await;
    let send = |place: &Value, content: &str| {
        json!({"id": 7, "type": "message.send", "payload": {"conversationId": place, "content": content}})
            .to_string()
    };
    let place = json!(place);
    let unknown = json!("0190f0a4-9f5c-7e2b-8a3d-2f6f2f1f9b11");
    for (frame, code) in [
        ("{".to_owned(), "malformed_json"),
        ("[1,2]".to_owned(), "malformed_json"),
        (r#"{"id": 7}"#.to_owned(), "malformed_json"),
        (r#"{"id": 7, "type": "message.sing"}"#.to_owned(), "unknown_type"),
        (r#"{"id": 7, "type": "message.send"}"#.to_owned(), "invalid_payload"),
        (r#"{"id": 7, "type": "message.send", "payload": 3}"#.to_owned(), "invalid_payload"),
        (send(&json!("x"), "hi"), "invalid_payload"),
        (send(&unknown, "hi"), "not_found"),
        (send(&room, "hi"), "not_found"),
        (send(&place, &"x".repeat(4_001)), "text_too_long"),
        (send(&place, " \u{200b}\n"), "text_empty"),
        (send(&place, "a\u{0}b"), "text_invalid"),
    ] {
        ada.socket.send(Message::text(frame.clone())).await.unwrap();
        let answer = ada.wait_for(|frame| frame["type"] == "error").await.unwrap();
        assert_eq!(answer["payload"]["code"], code, "{frame}");
        assert!(answer["payload"]["message"].as_str().is_some_and(|text| !text.is_empty()));
    }
    ada.sends(place.as_str().unwrap(), &"\u{1f600}".repeat(4_000)).await;
}

pub(crate) async fn frames_that_break_the_transport_close_it_with_the_right_code(home: Home) {
    let server = Server::start(&home).await;
    let token = server.host_token("ada").await;
    for (message, code) in
        [(Message::text("x".repeat(64 * 1024 + 1)), 1009), (Message::binary(vec![1, 2, 3]), 1003)]
    {
        let mut ada = Person::connect(&server, &token).await;
        // The server may have closed before all of it was written.
        let _ = ada.socket.send(message).await;
        assert_eq!(ada.closed().await, Some(code));
    }
    Person::connect(&server, &token).await.does("ping", json!({})).await;
}

pub(crate) async fn every_bad_request_has_its_status_and_code(home: Home) {
    let server = Server::start(&home).await;
    let (ada, bo) = (server.register("ada").await, server.register("bo").await);
    let room = json!({"kind": "room", "name": "closed", "visibility": "private"});
    let room = server.request("POST", "/conversations", Some(&bo), Some(room)).await.json();
    let room = room["id"].as_str().unwrap();
    let messages = format!("/conversations/{room}/messages");
    let unknown = "/conversations/0190f0a4-9f5c-7e2b-8a3d-2f6f2f1f9b11/messages";
    let hi = json!({"content": "hi"});
    for (method, path, token, body, status, code) in [
        ("GET", "/conversations", None, None, 401, "unauthenticated"),
        ("GET", "/conversations", Some("nonsense"), None, 401, "unauthenticated"),
        ("GET", messages.as_str(), Some(&*ada), None, 404, "not_found"),
        ("GET", unknown, Some(&*ada), None, 404, "not_found"),
        ("POST", messages.as_str(), Some(&*ada), Some(hi.clone()), 404, "not_found"),
        ("POST", messages.as_str(), Some(&*bo), Some(json!({})), 422, "invalid_payload"),
        ("POST", messages.as_str(), Some(&*bo), Some(json!({"content": " "})), 422, "text_empty"),
        (
            "POST",
            messages.as_str(),
            Some(&*bo),
            Some(json!({"content": "x".repeat(4_001)})),
            422,
            "text_too_long",
        ),
        ("GET", "/conversations?limit=101", Some(&*ada), None, 400, "page_too_large"),
        ("GET", "/conversations?cursor=nonsense", Some(&*ada), None, 400, "invalid_cursor"),
        ("GET", "/conversations/with/nobody", Some(&*ada), None, 404, "not_found"),
        ("GET", "/conversations/with/ada", Some(&*ada), None, 422, "self_conversation"),
        ("GET", "/nonsense", Some(&*ada), None, 404, "not_found"),
        ("DELETE", "/conversations", Some(&*ada), None, 405, "method_not_allowed"),
        (
            "POST",
            "/auth/login",
            None,
            Some(json!({"username": "ada", "password": "wrong horse battery"})),
            401,
            "invalid_credentials",
        ),
        (
            "POST",
            "/auth/register",
            None,
            Some(json!({"username": "ADA", "password": "correct horse battery"})),
            409,
            "username_taken",
        ),
    ] {
        let answer = server.request(method, path, token, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert_eq!(answer.code(), code, "{method} {path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        assert!(answer.json()["requestId"].is_string(), "{path}");
    }
    let hidden = server.request("GET", &messages, Some(&ada), None).await.json();
    let missing = server.request("GET", unknown, Some(&ada), None).await.json();
    for field in ["type", "title", "status", "detail", "code"] {
        assert_eq!(hidden[field], missing[field], "hidden and missing are told alike");
    }
}

pub(crate) async fn what_is_not_json_or_too_large_is_refused(home: Home) {
    let server = Server::start(&home).await;
    let bearer = format!("Bearer {}", server.register("ada").await);
    let path = "/api/chat/conversations";
    let large = format!("{{\"kind\": \"room\", \"name\": \"{}\"}}", "x".repeat(64 * 1024));
    for (kind, body, status, code) in [
        ("application/json", "{", 400, "malformed_json"),
        ("application/json", large.as_str(), 413, "payload_too_large"),
        ("text/plain", "{}", 415, "unsupported_media_type"),
    ] {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        let answer = http::request(server.address, "POST", path, &headers, Some(body)).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.body);
    }
}

pub(crate) async fn the_same_wrong_value_is_told_alike_over_both(home: Home) {
    let server = Server::start(&home).await;
    let token = server.host_token("ada").await;
    let mut ada = Person::connect(&server, &token).await;
    let room = ada.does("conversation.create", json!({"name": "general"})).await;
    let room = room["conversation"]["id"].as_str().unwrap().to_owned();
    for (query, fields, field) in [
        ("limit=18446744073709551616", r#""limit": 18446744073709551616"#, Some("limit")),
        ("limit=-1", r#""limit": -1"#, Some("limit")),
        ("limit=1.5", r#""limit": 1.5"#, Some("limit")),
        ("limit=0", r#""limit": 0"#, Some("limit")),
        ("limit=101", r#""limit": 101"#, Some("limit")),
        ("limit=1&limit=2", r#""limit": 1, "limit": 2"#, Some("limit")),
        ("before=18446744073709551616", r#""before": 18446744073709551616"#, Some("before")),
        ("after=x", r#""after": "x""#, Some("after")),
        ("around=-5", r#""around": -5"#, Some("around")),
        ("offset=1e3", r#""offset": 1.5e3"#, Some("offset")),
        ("cursor=nonsense", r#""cursor": "nonsense""#, Some("cursor")),
        ("cursor=", r#""cursor": """#, Some("cursor")),
        ("before=3&after=1", r#""before": 3, "after": 1"#, None),
    ] {
        let path = format!("/conversations/{room}/messages?{query}");
        let problem = server.request("GET", &path, Some(&token), None).await.json();
        let payload = format!(r#"{{"conversationId": "{room}", {fields}}}"#);
        let frame = format!(r#"{{"id": 1, "type": "history.load", "payload": {payload}}}"#);
        ada.socket.send(Message::text(frame)).await.unwrap();
        let error = ada.wait_for(|frame| frame["type"] == "error").await.unwrap();
        let error = &error["payload"];
        assert_eq!(problem["code"], error["code"], "{query}: {problem} {error}");
        assert_eq!(problem["field"], json!(field), "{query}: {problem}");
        assert_eq!(error["field"], json!(field), "{query}: {error}");
    }
}
