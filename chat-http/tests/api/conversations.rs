//! `/conversations`, but for their messages.

use std::time::Duration;

use chat_core::auth::{Identity, UserClaims};
use chat_core::{Outgoing, Session};
use serde_json::{Value, json};

use crate::support::{Api, BASE};

#[tokio::test]
async fn a_room_is_made_and_found() {
    let api = Api::start();
    let form = json!({"kind": "room", "name": " general ", "topic": "all", "visibility": "public"});
    let answer = api.ada().post("/conversations", form).await;
    let room = answer.ok(201);
    assert_eq!((&room["name"], &room["topic"]), (&json!("general"), &json!("all")));
    assert_eq!((&room["kind"], &room["memberCount"]), (&json!("room"), &json!(1)));
    let location = answer.header("location").unwrap();
    assert_eq!(location, format!("{BASE}/conversations/{}", room["id"].as_str().unwrap()));
    let found = api.ada().get(location.strip_prefix(BASE).unwrap()).await.ok(200);
    assert_eq!(found, room);
    assert_eq!(api.ada().get("/conversations").await.list(), [room]);
}

#[tokio::test]
async fn two_users_have_one_direct_conversation() {
    let api = Api::start();
    api.ada().appears().await;
    api.bo().appears().await;
    let id = api.ada().opens("bo").await;
    assert_eq!(api.bo().opens("ADA").await, id, "the case of a name does not count");
    for peer in
        [json!({"kind": "direct", "username": "bo"}), json!({"kind": "direct", "userId": "bo"})]
    {
        let opened = api.ada().post("/conversations", peer).await.ok(200);
        assert_eq!(opened["id"], id);
        assert_eq!(opened["peer"]["username"], "bo");
    }
}

#[tokio::test]
async fn a_direct_conversation_needs_somebody_else() {
    let api = Api::start();
    let own = api.ada().get("/conversations/with/ada").await;
    own.problem(422, "self_conversation");
    for name in ["nobody", "a%20b", "%ff", "%00"] {
        let path = format!("/conversations/with/{name}");
        api.ada().get(&path).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_user_without_that_name_is_found_by_id() {
    let api = Api::start();
    let account = json!({"username": "bo", "password": "correct horse"});
    let login = api.anonymous().post("/auth/register", account).await.ok(201);
    api.bearer(login["token"].as_str().unwrap()).appears().await;
    let by_id = api.ada().opens(login["user"]["id"].as_str().unwrap()).await;
    assert_eq!(api.ada().opens("bo").await, by_id);
}

#[tokio::test]
async fn a_list_goes_on_where_its_page_left_off() {
    let config = chat_core::ChatConfig {
        limits: chat_core::proto::Limits { conversations_per_minute: 100, ..Default::default() },
        ..Default::default()
    };
    let api = Api::with(config, |_| {});
    let mut rooms = Vec::new();
    for n in 0..7 {
        rooms.push(api.ada().makes_room(&format!("room {n}"), "private").await);
    }
    let (mut seen, mut path) = (Vec::new(), "/conversations?limit=3".to_owned());
    for _ in 0..10 {
        let page = api.ada().get(&path).await.ok(200);
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= 3);
        seen.extend(data.iter().map(|room| room["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["meta"]["nextCursor"].as_str() else { break };
        path = format!("/conversations?limit=3&cursor={next}");
    }
    rooms.reverse();
    assert_eq!(seen, rooms, "the most recently active first");
}

#[tokio::test]
async fn members_come_and_go() {
    let api = Api::start();
    let room = api.ada().makes_room("general", "public").await;
    let members = format!("/conversations/{room}/members");
    api.bo().joins(&room).await;
    api.bo().joins(&room).await;
    api.eve().joins(&room).await;
    let first = api.ada().get(&format!("{members}?limit=2")).await.ok(200);
    let next = first["meta"]["nextCursor"].as_str().unwrap();
    let rest = api.ada().get(&format!("{members}?limit=2&cursor={next}")).await.ok(200);
    let names = |page: &Value| -> Vec<_> {
        let data = page["data"].as_array().unwrap().iter();
        data.map(|member| member["user"]["username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!([names(&first), names(&rest)].concat(), ["ada", "bo", "eve"]);
    assert_eq!(first["data"][0]["role"], "owner");

    api.bo().post_nothing(&format!("/conversations/{room}/leave")).await.ok(204);
    assert_eq!(api.ada().get(&members).await.list().len(), 2);
    api.bo().joins(&room).await;
    assert_eq!(api.ada().get(&members).await.list().len(), 3);
}

#[tokio::test]
async fn nobody_leaves_a_direct_conversation() {
    let api = Api::start();
    api.bo().appears().await;
    let direct = api.ada().opens("bo").await;
    let path = format!("/conversations/{direct}/leave");
    api.ada().post_nothing(&path).await.problem(403, "forbidden");
    api.eve().post_nothing(&path).await.problem(404, "not_found");
}

#[tokio::test]
async fn unread_messages_are_counted_until_they_are_read() {
    let api = Api::start();
    api.bo().appears().await;
    let direct = api.ada().opens("bo").await;
    for text in ["one", "two @bo", "three"] {
        api.ada().sends(&direct, text).await;
    }
    let count = api.bo().get("/conversations/unread-count").await.ok(200);
    assert_eq!(count, json!({"unread": 3, "unreadMentions": 1, "conversations": 1, "through": 5}));

    let delivered = format!("/conversations/{direct}/delivered");
    let receipt = api.bo().post_nothing(&delivered).await.ok(200);
    assert_eq!((&receipt["seq"], &receipt["unread"]), (&json!(3), &json!(3)));

    let read = format!("/conversations/{direct}/read");
    let receipt = api.bo().post(&read, json!({"seq": 2})).await.ok(200);
    assert_eq!(receipt, json!({"read": 2, "seq": 2, "unread": 1, "throughSeq": 3}));
    let receipt = api.bo().post(&read, json!({"seq": 1})).await.ok(200);
    assert_eq!(receipt, json!({"read": 0, "seq": 2, "unread": 1, "throughSeq": 3}), "never back");
    let receipt = api.bo().post_nothing(&read).await.ok(200);
    assert_eq!(receipt, json!({"read": 1, "seq": 3, "unread": 0, "throughSeq": 3}));
    let receipt = api.bo().post(&read, json!({})).await.ok(200);
    assert_eq!(receipt, json!({"read": 0, "seq": 3, "unread": 0, "throughSeq": 3}));
    let beyond = api.bo().post(&read, json!({"seq": u64::MAX})).await.ok(200);
    assert_eq!(beyond["seq"], 3);
    let count = api.bo().get("/conversations/unread-count").await.ok(200);
    assert_eq!(count["unread"], 0);

    for seq in [json!(-1), json!("1"), json!(1.5)] {
        let problem = api.bo().post(&read, json!({"seq": seq})).await;
        assert_eq!(problem.problem(422, "invalid_payload")["field"], "seq");
    }
}

#[tokio::test]
async fn typing_is_shown_to_who_is_connected() {
    let api = Api::start();
    api.bo().appears().await;
    let direct = api.ada().opens("bo").await;
    let claims = UserClaims::of("bo".parse().unwrap());
    let bo = Identity { claims, login: None, expires_at: None };
    let mut session = api.chat.attach(&bo).await.unwrap();
    let path = format!("/conversations/{direct}/typing");
    api.ada().post_nothing(&path).await.ok(204);
    event(&mut session, "typing.started").await;
    api.ada().post(&path, json!({"typing": false})).await.ok(204);
    event(&mut session, "typing.stopped").await;
    api.ada().sends(&direct, "hi").await;
    let created = event(&mut session, "message.created").await;
    assert_eq!(created["payload"]["message"]["content"], "hi");
}

/// The next frame of a type.
async fn event(session: &mut Session, kind: &str) -> Value {
    let waiting = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let Outgoing::Frames(frames) = session.next().await else { panic!("closed") };
            for frame in frames {
                let frame: Value = serde_json::from_slice(&frame).unwrap();
                if frame["type"] == kind {
                    return frame;
                }
            }
        }
    });
    waiting.await.unwrap_or_else(|_| panic!("no {kind} came"))
}
