//! Every path, asked by everybody: who is nobody, who has no part in it, and who has.

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Api, Client};

/// A request, and what comes of it for a member of the room and for somebody else. Where a
/// stranger gets 404, that must be the very answer for a thing that is not there.
struct Row {
    method: Method,
    path: &'static str,
    body: Value,
    member: u16,
    stranger: u16,
}

fn row(method: Method, path: &'static str, body: Value, member: u16, stranger: u16) -> Row {
    Row { method, path, body, member, stranger }
}

/// `{room}` and `{message}` stand for ada's private room and her message in it, `{session}` for a
/// login of hers; `{user}` for bo, whom everybody may see.
fn rows() -> Vec<Row> {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const DELETE: Method = Method::DELETE;
    vec![
        row(GET, "/auth/me", Value::Null, 200, 200),
        row(POST, "/auth/logout", Value::Null, 204, 204),
        row(
            POST,
            "/auth/password",
            json!({"currentPassword": "correct horse", "newPassword": "battery staple"}),
            200,
            401,
        ),
        row(GET, "/auth/sessions", Value::Null, 200, 200),
        row(DELETE, "/auth/sessions", Value::Null, 200, 200),
        row(DELETE, "/auth/sessions/{session}", Value::Null, 204, 404),
        row(GET, "/conversations", Value::Null, 200, 200),
        row(POST, "/conversations", json!({"name": "another"}), 201, 201),
        row(POST, "/conversations", json!({"kind": "direct", "username": "bo"}), 200, 200),
        row(GET, "/conversations/with/{user}", Value::Null, 200, 200),
        row(GET, "/conversations/unread-count", Value::Null, 200, 200),
        row(GET, "/conversations/{room}", Value::Null, 200, 404),
        row(POST, "/conversations/{room}/join", Value::Null, 200, 404),
        row(POST, "/conversations/{room}/leave?confirm=true", Value::Null, 204, 404),
        row(GET, "/conversations/{room}/members", Value::Null, 200, 404),
        row(GET, "/conversations/{room}/messages", Value::Null, 200, 404),
        row(GET, "/conversations/{room}/messages?around=1", Value::Null, 200, 404),
        row(POST, "/conversations/{room}/messages", json!({"content": "hi"}), 201, 404),
        row(POST, "/conversations/{room}/read", Value::Null, 200, 404),
        row(POST, "/conversations/{room}/read", json!({"seq": 1}), 200, 404),
        row(POST, "/conversations/{room}/delivered", Value::Null, 200, 404),
        row(POST, "/conversations/{room}/typing", Value::Null, 204, 404),
        row(POST, "/conversations/{room}/typing", json!({"typing": false}), 204, 404),
        row(GET, "/messages/{message}", Value::Null, 200, 404),
        row(GET, "/rooms", Value::Null, 200, 200),
        row(POST, "/rooms/join", json!({"name": "Secret plans"}), 404, 404),
        row(POST, "/rooms/join", json!({"name": "lobby"}), 200, 200),
        row(GET, "/users", Value::Null, 200, 200),
        row(GET, "/users/{user}", Value::Null, 200, 200),
        row(GET, "/presence", Value::Null, 200, 200),
        row(PUT, "/presence", json!({"status": "offline"}), 422, 422),
        row(GET, "/limits", Value::Null, 200, 200),
    ]
}

/// A host in which ada is logged in and has a private room with a message; bo and eve exist.
struct Scene {
    api: Api,
    ada: Client,
    room: String,
    message: String,
    session: String,
}

impl Scene {
    async fn set() -> Self {
        let api = Api::start();
        let account = json!({"username": "ada", "password": "correct horse"});
        let login = api.anonymous().post("/auth/register", account).await.ok(201);
        let ada = api.bearer(login["token"].as_str().unwrap());
        let me = ada.get("/auth/me").await.ok(200);
        api.bo().appears().await;
        api.eve().appears().await;
        api.bo().makes_room("lobby", "public").await;
        let room = ada.makes_room("Secret plans", "private").await;
        let message = ada.sends(&room, "the canary").await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (message, session) = (text(&message["id"]), text(&me["sessionId"]));
        Self { api, ada, room, message, session }
    }

    async fn asks(&self, client: &Client, row: &Row) -> Answer {
        self.asks_for(client, row, [&self.room, &self.message, &self.session]).await
    }

    /// The same request about other things.
    async fn asks_for(&self, client: &Client, row: &Row, things: [&str; 3]) -> Answer {
        let mut path = row.path.replace("{user}", "bo");
        for (name, id) in ["{room}", "{message}", "{session}"].into_iter().zip(things) {
            path = path.replace(name, id);
        }
        let client = client.clone().with("x-request-id", "the-same");
        client.send_json(row.method.clone(), &path, row.body.clone()).await
    }
}

/// The routes of this API are on one page, so a new one that nobody asks about is noticed.
#[test]
fn no_path_is_left_out() {
    const WITHOUT_CREDENTIAL: [&str; 2] = ["/auth/login", "/auth/register"];
    let page = include_str!("../../src/routes.rs");
    let paths: Vec<_> = page.split('"').filter(|text| text.starts_with('/')).collect();
    assert!(paths.len() > 20, "{paths:?}");
    let shape = |path: &str| -> Vec<String> {
        let path = path.split('?').next().unwrap_or_default();
        let part = |part: &str| if part.starts_with('{') { "{}".into() } else { part.to_owned() };
        path.split('/').map(part).collect()
    };
    for path in paths {
        let asked = rows().iter().any(|row| shape(row.path) == shape(path));
        assert!(asked || WITHOUT_CREDENTIAL.contains(&path), "{path}");
    }
}

#[tokio::test]
async fn a_member_may() {
    for row in rows() {
        let scene = Scene::set().await;
        let answer = scene.asks(&scene.ada, &row).await;
        assert_eq!(answer.status, row.member, "{} {}: {answer:?}", row.method, row.path);
    }
}

#[tokio::test]
async fn to_a_stranger_a_hidden_thing_and_a_missing_one_are_the_same() {
    const MISSING: &str = "0190f0a4-9f5c-7e2b-8a3d-2f6f2f1f9b11";
    for row in rows() {
        let scene = Scene::set().await;
        let eve = scene.api.eve();
        let hidden = scene.asks(&eve, &row).await;
        assert_eq!(hidden.status, row.stranger, "{} {}: {hidden:?}", row.method, row.path);
        assert!(!String::from_utf8_lossy(&hidden.bytes).contains("canary"));
        if row.stranger == 404 && row.path.contains('{') {
            hidden.problem(404, "not_found");
            assert_eq!(hidden, scene.asks_for(&eve, &row, [MISSING; 3]).await, "{}", row.path);
            for impossible in ["no-uuid", "%ff", "0", "%00", "..%2F..%2Fauth"] {
                let answer = scene.asks_for(&eve, &row, [impossible; 3]).await;
                assert_eq!(hidden, answer, "{} with {impossible}", row.path);
            }
        }
    }
}

#[tokio::test]
async fn who_was_a_member_is_a_stranger() {
    let api = Api::start();
    let room = api.ada().makes_room("general", "public").await;
    api.bo().joins(&room).await;
    let message = api.ada().sends(&room, "hi").await;
    let path = format!("/messages/{}", message["id"].as_str().unwrap());
    api.bo().get(&path).await.ok(200);
    api.bo().post_nothing(&format!("/conversations/{room}/leave")).await.ok(204);
    for path in [
        path,
        format!("/conversations/{room}"),
        format!("/conversations/{room}/messages"),
        format!("/conversations/{room}/members"),
    ] {
        api.bo().get(&path).await.problem(404, "not_found");
    }
    api.bo().post_nothing(&format!("/conversations/{room}/leave")).await.problem(404, "not_found");
}

#[tokio::test]
async fn who_is_nobody_may_nothing() {
    let scene = Scene::set().await;
    for row in rows() {
        for (client, code) in [
            (scene.api.anonymous(), "unauthenticated"),
            (scene.api.bearer("forged"), "unauthenticated"),
            (scene.api.bearer("not / an id"), "unauthenticated"),
            (scene.api.browser("forged"), "unauthenticated"),
            (scene.api.bearer("expired"), "token_expired"),
            (scene.api.browser("expired"), "token_expired"),
        ] {
            let answer = scene.asks(&client, &row).await;
            if row.path == "/auth/logout" && answer.status == 204 {
                // Who is logged out already is left without a cookie, and nothing else.
                continue;
            }
            answer.problem(401, code);
            assert_eq!(answer, scene.asks_for(&client, &row, ["x"; 3]).await, "{}", row.path);
        }
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_checked_is_not_refused() {
    let api = Api::start();
    let answer = api.bearer("unlucky").get("/auth/me").await;
    answer.problem(503, "unavailable");
    assert!(!String::from_utf8_lossy(&answer.bytes).contains("keys"), "the cause stays inside");
}
