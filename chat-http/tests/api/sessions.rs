//! `/auth/sessions`: where a user is logged in.

use serde_json::{Value, json};

use crate::support::{Api, Client};

async fn logs_in(api: &Api, path: &str, username: &str, agent: &str) -> Client {
    let account = json!({"username": username, "password": "correct horse"});
    let answer = api.anonymous().with("user-agent", agent).post(path, account).await;
    api.bearer(answer.json()["token"].as_str().unwrap())
}

async fn sessions(client: &Client) -> Vec<Value> {
    client.get("/auth/sessions").await.list()
}

fn id_of(sessions: &[Value], agent: &str) -> String {
    let session = sessions.iter().find(|session| session["userAgent"] == agent).unwrap();
    session["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_user_sees_where_they_are_logged_in() {
    let api = Api::start();
    let laptop = logs_in(&api, "/auth/register", "ada", "laptop").await;
    logs_in(&api, "/auth/login", "ada", "phone").await;
    logs_in(&api, "/auth/register", "bo", "tablet").await;
    let list = laptop.get("/auth/sessions").await.ok(200);
    assert_eq!(list["meta"], json!({"hasMore": false}));
    let sessions = sessions(&laptop).await;
    assert_eq!(sessions.len(), 2);
    for session in &sessions {
        assert_eq!(session["current"], session["userAgent"] == "laptop", "{session}");
        for field in ["id", "createdAt", "lastUsedAt", "expiresAt"] {
            assert!(session[field].is_string(), "{session}");
        }
        assert!(session.get("tokenHash").is_none());
    }
}

#[tokio::test]
async fn a_user_ends_one_session() {
    let api = Api::start();
    let laptop = logs_in(&api, "/auth/register", "ada", "laptop").await;
    let phone = logs_in(&api, "/auth/login", "ada", "phone").await;
    let id = id_of(&sessions(&laptop).await, "phone");
    let path = format!("/auth/sessions/{id}");
    let answer = laptop.delete(&path).await;
    answer.ok(204);
    assert_eq!(answer.header("set-cookie"), None, "this browser's own session goes on");
    phone.get("/auth/me").await.problem(401, "unauthenticated");
    laptop.delete(&path).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_user_who_ends_the_own_session_is_logged_out() {
    let api = Api::start();
    let laptop = logs_in(&api, "/auth/register", "ada", "laptop").await;
    let id = id_of(&sessions(&laptop).await, "laptop");
    let answer = laptop.delete(&format!("/auth/sessions/{id}")).await;
    answer.ok(204);
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    laptop.get("/auth/me").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_user_ends_all_other_sessions() {
    let api = Api::start();
    let laptop = logs_in(&api, "/auth/register", "ada", "laptop").await;
    let phone = logs_in(&api, "/auth/login", "ada", "phone").await;
    logs_in(&api, "/auth/login", "ada", "tablet").await;
    let bo = logs_in(&api, "/auth/register", "bo", "laptop").await;
    assert_eq!(laptop.delete("/auth/sessions").await.ok(200), json!({"ended": 2}));
    phone.get("/auth/me").await.problem(401, "unauthenticated");
    assert_eq!(sessions(&laptop).await.len(), 1);
    bo.get("/auth/me").await.ok(200);
}

#[tokio::test]
async fn an_endless_user_agent_is_cut() {
    let api = Api::start();
    let laptop = logs_in(&api, "/auth/register", "ada", &"x".repeat(5_000)).await;
    let sessions = sessions(&laptop).await;
    assert_eq!(sessions[0]["userAgent"].as_str().unwrap().len(), 256);
}
