//! What all answers have in common, errors above all.

use axum::body::Body;
use axum::http::Method;
use chat_core::ChatConfig;
use chat_core::proto::Limits;
use serde_json::json;

use crate::support::Api;

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let api = Api::start();
    for path in ["/nowhere", "/conversations/", "/conversations/1/2/3/4", "/auth", "/ws", ""] {
        for client in [api.anonymous(), api.ada()] {
            client.get(path).await.problem(404, "not_found");
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let api = Api::start();
    for (method, path, allowed) in [
        (Method::DELETE, "/conversations", "GET,HEAD,POST"),
        (Method::GET, "/auth/login", "POST"),
        (Method::PATCH, "/presence", "GET,HEAD,PUT"),
        (Method::OPTIONS, "/rooms", "GET,HEAD"),
    ] {
        let answer = api.ada().send(method, path, Body::empty()).await;
        answer.problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some(allowed), "{path}");
    }
}

#[tokio::test]
async fn a_head_has_no_body() {
    let answer = Api::start().ada().send(Method::HEAD, "/limits", Body::empty()).await;
    answer.ok(200);
    assert!(answer.bytes.is_empty());
}

#[tokio::test]
async fn a_request_keeps_its_id() {
    let api = Api::start();
    let given = api.ada().with("x-request-id", "edge-42").get("/nowhere").await;
    assert_eq!(given.problem(404, "not_found")["requestId"], "edge-42");
    let made = api.ada().get("/limits").await;
    assert_eq!(made.header("x-request-id").unwrap().len(), 36);
    let unsafe_id = api.ada().with("x-request-id", &"x".repeat(200)).get("/limits").await;
    assert_eq!(unsafe_id.header("x-request-id").unwrap().len(), 36);
}

#[tokio::test]
async fn no_answer_is_kept_or_guessed_at() {
    let api = Api::start();
    for path in ["/limits", "/nowhere", "/conversations/x"] {
        let answer = api.ada().get(path).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let length: usize = answer.header("content-length").unwrap().parse().unwrap();
        assert_eq!(length, answer.bytes.len());
    }
}

#[tokio::test]
async fn a_malformed_parameter_is_named() {
    let api = Api::start();
    let room = api.ada().makes_room("general", "public").await;
    for (path, parameter) in [
        ("/conversations?limit=abc".to_owned(), "limit"),
        ("/rooms?limit=-1".to_owned(), "limit"),
        ("/users?limit=".to_owned(), "limit"),
        (format!("/conversations/{room}/members?limit=1.5"), "limit"),
        (format!("/conversations/{room}/messages?before=-1"), "before"),
        (format!("/conversations/{room}/messages?after=x"), "after"),
        (format!("/conversations/{room}/messages?around=%20"), "around"),
        (format!("/conversations/{room}/messages?offset=1e3"), "offset"),
        (format!("/conversations/{room}/messages?before=18446744073709551616"), "before"),
        (format!("/conversations/{room}/messages?after=%2B1"), "after"),
        (format!("/conversations/{room}/messages?around=007"), "around"),
        ("/conversations?limit=99999999999999999999999999".to_owned(), "limit"),
        ("/conversations?limit=1&limit=2".to_owned(), "limit"),
        ("/conversations?cursor=a&cursor=a".to_owned(), "cursor"),
        ("/rooms?limit=1&limit=1".to_owned(), "limit"),
        ("/users?query=a&query=b".to_owned(), "query"),
        (format!("/conversations/{room}/messages?before=1&before=2"), "before"),
    ] {
        let problem = api.ada().get(&path).await.problem(422, "invalid_payload");
        assert_eq!(problem["field"], parameter, "{path}");
    }
}

#[tokio::test]
async fn a_page_has_its_limits() {
    let api = Api::start();
    let room = api.ada().makes_room("general", "public").await;
    for list in [
        "/conversations".to_owned(),
        "/rooms".to_owned(),
        "/users".to_owned(),
        format!("/conversations/{room}/members"),
        format!("/conversations/{room}/messages"),
    ] {
        for limit in ["0", "101", "18446744073709551615"] {
            let answer = api.ada().get(&format!("{list}?limit={limit}")).await;
            assert_eq!(answer.problem(400, "page_too_large")["field"], "limit");
        }
        api.ada().get(&format!("{list}?limit=100&unknown=1")).await.ok(200);
        if list != "/users" {
            let answer = api.ada().get(&format!("{list}?cursor=bm9uc2Vuc2U")).await;
            assert_eq!(answer.problem(400, "invalid_cursor")["field"], "cursor");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_are_told_when_to_come_back() {
    let limits = Limits { messages_per_second: 1, message_burst: 2, ..Limits::default() };
    let api = Api::with(ChatConfig { limits, ..ChatConfig::default() }, |_| {});
    let room = api.ada().makes_room("general", "public").await;
    let path = format!("/conversations/{room}/messages");
    api.ada().sends(&room, "one").await;
    api.ada().sends(&room, "two").await;
    let answer = api.ada().post(&path, json!({"content": "three"})).await;
    let problem = answer.problem(429, "rate_limited");
    assert!((1..=1_000).contains(&problem["retryAfterMs"].as_u64().unwrap()), "{problem}");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn the_limits_are_told() {
    let limits = Api::start().ada().get("/limits").await.ok(200);
    assert_eq!(limits, serde_json::to_value(Limits::default()).unwrap());
}
