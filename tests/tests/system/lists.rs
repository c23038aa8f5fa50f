//! Lists of conversations that are longer than a page, and move while they are read.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::home::Home;
use crate::person::Person;
use crate::server::Server;

const UNHURRIED: [&str; 3] = ["--dev", "--set", "limits.conversations_per_minute=100000"];

/// Makes rooms, the first first.
async fn rooms(person: &mut Person, count: usize) -> Vec<String> {
    let mut rooms = Vec::with_capacity(count);
    for n in 0..count {
        let room = json!({"name": format!("room {n}"), "visibility": "private"});
        let made = person.does("conversation.create", room).await;
        rooms.push(id(&made["conversation"]));
    }
    rooms
}

fn id(summary: &Value) -> String {
    summary["conversationId"].as_str().unwrap().to_owned()
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(id).collect()
}

pub(crate) async fn a_client_that_follows_the_protocol_holds_every_conversation(home: Home) {
    let server = Server::start_with(&home, &UNHURRIED).await;
    let token = server.host_token("ada").await;
    let mut ada = Person::connect(&server, &token).await;
    let made = rooms(&mut ada, 60).await;
    let mut reader = Person::connect(&server, &token).await;
    let first = reader.does("conversation.list", json!({"limit": 10})).await;
    let mut held: BTreeSet<String> = ids(&first["data"]).into_iter().collect();
    let mut cursor = first["meta"]["nextCursor"].clone();
    // The oldest moves to the front, past the reader.
    ada.sends(&made[0], "surprise").await;
    while !cursor.is_null() {
        let page = reader.does("conversation.list", json!({"limit": 10, "cursor": cursor})).await;
        held.extend(ids(&page["data"]));
        cursor = page["meta"]["nextCursor"].clone();
    }
    assert_eq!(held.len(), 59, "it is on no page");
    let seen = reader.sees("surprise").await;
    assert_eq!(seen["conversationId"], made[0].as_str());
    let asked = json!({"conversationId": seen["conversationId"]});
    let known = reader.does("conversation.show", asked).await;
    assert_eq!(known["conversation"]["preview"]["content"], "surprise");
    assert_eq!(known["conversation"]["changeSeq"], seen["changeSeq"]);
    held.insert(id(&known["conversation"]));
    assert_eq!(held, made.iter().cloned().collect());
    let by_rest = server.get(&format!("/conversations/{}", made[0]), &token).await;
    assert_eq!(known["conversation"], by_rest, "the same as over REST");

    let mut eve = Person::connect(&server, &server.host_token("eve").await).await;
    for hidden in [made[0].as_str(), "0190f0a4-9f5c-7e2b-8a3d-2f6f2f1f9b11"] {
        let refused = eve.tries("conversation.show", json!({"conversationId": hidden})).await;
        assert_eq!(refused.unwrap_err()["code"], "not_found", "hidden and missing are the same");
    }
}

pub(crate) async fn the_list_goes_on_from_where_the_greeting_ends(home: Home) {
    let server = Server::start_with(&home, &UNHURRIED).await;
    let token = server.host_token("ada").await;
    let mut ada = Person::connect(&server, &token).await;
    assert_eq!(ada.ready.get("nextCursor"), None, "there is no more");
    let mut made = rooms(&mut ada, 205).await;
    made.reverse();
    let mut reader = Person::connect(&server, &token).await;
    assert_eq!(reader.ready["hasMore"], true);
    let mut held = ids(&reader.ready["conversations"]);
    let cursor = reader.ready["nextCursor"].clone();
    let rest = reader.does("conversation.list", json!({"cursor": cursor})).await;
    assert_eq!((held.len(), &rest["meta"]), (200, &json!({"hasMore": false})));
    held.extend(ids(&rest["data"]));
    assert_eq!(held, made, "the last made first, none twice and none left out");
    let all = reader.ready["conversations"].as_array().unwrap().iter();
    let activity: Vec<u64> = all.map(|one| one["activity"].as_u64().unwrap()).collect();
    assert!(activity.is_sorted_by(|a, b| a > b), "{activity:?}");
}
