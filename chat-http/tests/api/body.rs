//! What is sent: its syntax, its shape, its size.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::support::{Answer, Api};

async fn create(body: impl Into<Body>) -> Answer {
    let ada = Api::start().ada().with("content-type", "application/json; charset=utf-8");
    ada.send(Method::POST, "/conversations", body.into()).await
}

#[tokio::test]
async fn what_is_no_json_object_is_malformed() {
    for body in ["{", "{\"name\": }", "[]", "\"general\"", "null", "{\"name\": 1,}", "{} x", "\0"] {
        create(body).await.problem(400, "malformed_json");
    }
    create(b"{\"name\": \"\xFF\"}".to_vec()).await.problem(400, "malformed_json");
    create(Body::empty()).await.problem(400, "malformed_json");
}

#[tokio::test]
async fn a_body_of_nothing_but_brackets_is_malformed() {
    create("{\"x\":".to_owned() + &"[".repeat(60_000)).await.problem(400, "malformed_json");
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    let name = create(r#"{"name": 7}"#).await.problem(422, "invalid_payload");
    assert_eq!(name["field"], "name");
    let kind = create(r#"{"name": "x", "kind": "castle"}"#).await.problem(422, "invalid_payload");
    assert_eq!(kind["field"], "kind");
    assert!(kind["detail"].as_str().unwrap().contains("\"kind\""), "{kind}");
    let missing = create("{}").await.problem(422, "invalid_payload");
    assert_eq!(missing["field"], "name");
    let direct = create(r#"{"kind": "direct"}"#).await.problem(422, "invalid_payload");
    assert_eq!(direct["field"], "username");
}

#[tokio::test]
async fn a_text_that_is_refused_has_its_own_code() {
    for (room, field, code) in [
        (json!({"name": "x".repeat(81)}), "name", "text_too_long"),
        (json!({"name": " \u{200B} "}), "name", "text_empty"),
        (json!({"name": "a\u{7}b"}), "name", "text_invalid"),
        (json!({"name": "x", "topic": "y".repeat(251)}), "topic", "text_too_long"),
    ] {
        let problem = create(room.to_string()).await.problem(422, code);
        assert_eq!(problem["field"], field);
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    create(r#"{"name": "general", "colour": {"r": [1]}}"#).await.ok(201);
}

#[tokio::test]
async fn a_body_is_cut_off_at_the_limit() {
    let api = Api::with(Default::default(), |config| config.json_body_bytes = 100);
    let ada = api.ada().with("content-type", "application/json");
    let of = |bytes: usize| format!("{:1$}", r#"{"name": "general"}"#, bytes);
    ada.send(Method::POST, "/conversations", of(100).into()).await.ok(201);
    let told = ada.send(Method::POST, "/conversations", of(101).into()).await;
    told.problem(413, "payload_too_large");
    let chunks = [Ok::<_, std::io::Error>(of(60)), Ok(of(60))];
    let untold = Body::from_stream(futures::stream::iter(chunks));
    let answer = ada.send(Method::POST, "/conversations", untold).await;
    answer.problem(413, "payload_too_large");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_malformed() {
    let chunks = [Ok("{\"name\":".to_owned()), Err(std::io::Error::other("reset"))];
    let answer = create(Body::from_stream(futures::stream::iter(chunks))).await;
    answer.problem(400, "malformed_json");
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_what_is_wrong_with_a_body() {
    let anonymous = Api::start().anonymous().with("content-type", "text/plain");
    let answer = anonymous.send(Method::POST, "/conversations", Body::from("{")).await;
    answer.problem(401, "unauthenticated");
}
