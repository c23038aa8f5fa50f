//! `/presence`.

use chat_core::auth::{Identity, UserClaims};
use serde_json::json;

use crate::support::Api;

fn identity(user: &str) -> Identity {
    Identity { claims: UserClaims::of(user.parse().unwrap()), login: None, expires_at: None }
}

#[tokio::test]
async fn who_is_connected_is_shown_to_who_shares_a_conversation() {
    let api = Api::start();
    api.bo().appears().await;
    api.ada().opens("bo").await;
    let _connected = api.chat.attach(&identity("ada")).await.unwrap();
    let seen = api.bo().get("/presence").await.list();
    assert!(seen.iter().any(|entry| entry["userId"] == "ada" && entry["status"] == "online"));
    assert!(api.eve().get("/presence").await.list().iter().all(|entry| entry["userId"] != "ada"));

    api.ada().put("/presence", json!({"status": "away"})).await.ok(204);
    let seen = api.bo().get("/presence").await.list();
    assert!(seen.iter().any(|entry| entry["userId"] == "ada" && entry["status"] == "away"));
}

#[tokio::test]
async fn a_status_that_nobody_can_choose_is_refused() {
    let api = Api::start();
    let _connected = api.chat.attach(&identity("ada")).await.unwrap();
    let made_up = api.ada().put("/presence", json!({"status": "asleep"})).await;
    assert_eq!(made_up.problem(422, "invalid_payload")["field"], "status");
    let offline = api.ada().put("/presence", json!({"status": "offline"})).await;
    offline.problem(422, "invalid_payload");
}
