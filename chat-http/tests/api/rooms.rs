//! `/rooms`.

use chat_core::ChatConfig;
use serde_json::json;

use crate::support::Api;

#[tokio::test]
async fn public_rooms_are_listed_by_name_page_by_page() {
    let api = Api::start();
    for name in ["delta", "Alpha", "charlie", "bravo", "echo"] {
        api.ada().makes_room(name, "public").await;
    }
    api.ada().makes_room("aardvark", "private").await;
    let (mut names, mut path) = (Vec::new(), "/rooms?limit=2".to_owned());
    for _ in 0..10 {
        let page = api.eve().get(&path).await.ok(200);
        for room in page["data"].as_array().unwrap() {
            names.push(room["name"].as_str().unwrap().to_owned());
        }
        let next = page["meta"]["nextCursor"].as_str();
        assert_eq!(page["meta"]["hasMore"], next.is_some());
        let Some(next) = next else { break };
        path = format!("/rooms?limit=2&cursor={next}");
    }
    assert_eq!(names, ["Alpha", "bravo", "charlie", "delta", "echo"]);
}

#[tokio::test]
async fn a_public_room_is_joined_by_its_name() {
    let api = Api::start();
    let room = api.ada().makes_room("General", "public").await;
    let joined = api.bo().post("/rooms/join", json!({"name": " general "})).await.ok(200);
    assert_eq!(joined["id"], room);
    assert_eq!(joined["memberCount"], 2);
}

#[tokio::test]
async fn a_hidden_room_is_not_joined_by_its_name() {
    let api = Api::start();
    api.ada().makes_room("plans", "private").await;
    let bo = api.bo().with("x-request-id", "the-same");
    let hidden = bo.post("/rooms/join", json!({"name": "plans"})).await;
    hidden.problem(404, "not_found");
    assert_eq!(hidden, bo.post("/rooms/join", json!({"name": "nothing"})).await);
}

#[tokio::test]
async fn a_room_is_made_on_first_join_where_that_is_turned_on() {
    let config = ChatConfig { create_rooms_on_join: true, ..ChatConfig::default() };
    let api = Api::with(config, |_| {});
    let made = api.ada().post("/rooms/join", json!({"name": "general"})).await.ok(200);
    let found = api.bo().post("/rooms/join", json!({"name": "General"})).await.ok(200);
    assert_eq!(made["id"], found["id"]);
}

#[tokio::test]
async fn a_name_is_checked() {
    let api = Api::start();
    let answer = api.ada().post("/rooms/join", json!({"name": "x".repeat(81)})).await;
    assert_eq!(answer.problem(422, "text_too_long")["field"], "name");
}
