//! Coming and going over real sockets: limits that are raced for, and rooms that are left.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::home::Home;
use crate::person::Person;
use crate::server::Server;

/// Few memberships, and so many conversations a minute that only those can be the limit.
const FEW: [&str; 7] = [
    "--dev",
    "--set",
    "limits.memberships_per_user=4",
    "--set",
    "limits.conversations_per_minute=10000",
    "--set",
    "limits.operations_at_once=64",
];

pub(crate) async fn a_limit_on_memberships_holds_for_what_is_made_at_once(home: Home) {
    let server = Server::start_with(&home, &FEW).await;
    let (ada, bo) = (server.host_token("ada").await, server.host_token("bo").await);
    let mut peers = Vec::new();
    for n in 0..16 {
        let name = format!("peer{n}");
        let token = server.host_token(&name).await;
        drop(Person::connect(&server, &token).await);
        peers.push(name);
    }
    let rooms = (0..16).map(|n| (&ada, json!({"kind": "room", "name": format!("room {n}")})));
    let pairs = peers.iter().map(|peer| (&bo, json!({"kind": "direct", "userId": peer})));
    for forms in [rooms.collect::<Vec<_>>(), pairs.collect()] {
        let token = forms[0].0;
        let made = join_all(forms.iter().map(async |(token, form)| {
            let answer = server.request("POST", "/conversations", Some(token), Some(form.clone()));
            let answer = answer.await;
            if answer.status != 200 && answer.status != 201 {
                assert_eq!((answer.status, answer.code().as_str()), (429, "too_many"));
            }
            answer.status < 300
        }));
        assert_eq!(made.await.into_iter().filter(|made| *made).count(), 4);
        let list = server.get("/conversations", token).await;
        assert_eq!(list["data"].as_array().unwrap().len(), 4);
    }
    // The same over sockets, with joins and rooms that are made by their names among them.
    let mut cy = Person::connect(&server, &server.host_token("cy").await).await;
    let mut ids = Vec::new();
    for (n, peer) in peers.iter().enumerate() {
        let (kind, payload) = match n % 2 {
            0 => ("conversation.create", json!({"name": format!("other {n}")})),
            _ => ("conversation.open", json!({"userId": peer})),
        };
        ids.push(cy.begin(kind, payload).await.unwrap());
    }
    let mut made = 0;
    for id in ids {
        match cy.answer(id).await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(error["code"], "too_many"),
        }
    }
    assert_eq!(made, 4);
}

pub(crate) async fn a_room_is_inherited_and_its_last_member_confirms_leaving(home: Home) {
    let server = Server::start_with(&home, &["--dev"]).await;
    let (ada, bo) = (server.host_token("ada").await, server.host_token("bo").await);
    let mut ada = Person::connect(&server, &ada).await;
    let mut socket = Person::connect(&server, &bo).await;
    let made = ada.does("conversation.create", json!({"name": "general"})).await;
    let room = made["conversation"]["id"].clone();
    socket.does("conversation.join", json!({"conversationId": room})).await;
    ada.does("conversation.leave", json!({"conversationId": room})).await;
    let updated = socket.event("member.updated").await;
    assert_eq!(
        (&updated["member"]["userId"], &updated["member"]["role"]),
        (&json!("bo"), &json!("owner"))
    );
    assert_eq!(socket.event("member.left").await["member"]["userId"], "ada");
    let path = format!("/conversations/{}", room.as_str().unwrap());
    let members = server.get(&format!("{path}/members"), &bo).await;
    assert_eq!(members["data"][0]["role"], "owner");
    let leave = format!("{path}/leave");
    let refused = server.request("POST", &leave, Some(&bo), None).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "last_member"));
    let refused = socket.tries("conversation.leave", json!({"conversationId": room})).await;
    assert_eq!(refused.unwrap_err()["code"], "last_member");
    assert_eq!(server.get(&path, &bo).await["memberCount"], 1);
    let left = server.request("POST", &format!("{leave}?confirm=true"), Some(&bo), None).await;
    assert_eq!(left.status, 204, "{}", left.body);
    let gone: Value = server.get("/conversations", &bo).await;
    assert_eq!(gone["data"], json!([]));
}
