//! Names are one name in every form, on every path that takes one.

use serde_json::{Value, json};

use crate::home::Home;
use crate::http::{Answer, request};
use crate::person::Person;
use crate::server::Server;

const PASSWORD: &str = "correct horse battery";

async fn register(server: &Server, username: &str, display_name: Option<&str>) -> Answer {
    let body = json!({"username": username, "password": PASSWORD, "displayName": display_name});
    server.request("POST", "/auth/register", None, Some(body)).await
}

async fn login(server: &Server, username: &str) -> u16 {
    let body = json!({"username": username, "password": PASSWORD});
    server.request("POST", "/auth/login", None, Some(body)).await.status
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Whom a search finds.
async fn found(server: &Server, token: &str, query: &str) -> Vec<Value> {
    let page = server.get(&format!("/users?query={}", encoded(query)), token).await;
    page["data"].as_array().unwrap().iter().map(|user| user["username"].clone()).collect()
}

pub(crate) async fn a_name_is_one_in_every_form_on_every_path(home: Home) {
    let server = Server::start(&home).await;
    let token = server.register("ada").await;
    let [composed, decomposed] = ["é".repeat(40), "e\u{301}".repeat(40)];
    let jamo = "\u{1112}\u{1161}\u{11AB}".repeat(30);
    for (name, others) in [
        (composed.as_str(), vec![decomposed.clone(), "É".repeat(40)]),
        (jamo.as_str(), vec!["한".repeat(30)]),
        ("οδος", vec!["ΟΔΟΣ".into(), "οδοσ".into()]),
        ("straße", vec!["STRASSE".into()]),
    ] {
        let registered = register(&server, name, None).await;
        assert_eq!(registered.status, 201, "{name}: {}", registered.body);
        let user = registered.json()["user"].take();
        for other in &others {
            assert_eq!(login(&server, other).await, 200, "{other}");
            assert_eq!(register(&server, other, None).await.code(), "username_taken", "{other}");
            assert_eq!(found(&server, &token, other).await, [user["username"].clone()], "{other}");
            let path = format!("/conversations/with/{}", encoded(other));
            assert_eq!(server.get(&path, &token).await["peer"]["id"], user["id"], "{other}");
        }
        let mut ada = Person::connect(&server, &token).await;
        let opened = ada.does("conversation.open", json!({"username": others[0]})).await;
        assert_eq!(opened["conversation"]["peer"]["id"], user["id"], "{name}");
    }
    assert_eq!(register(&server, &"\u{958}".repeat(64), None).await.code(), "text_too_long");
}

pub(crate) async fn a_name_that_misleads_is_refused(home: Home) {
    let server = Server::start(&home).await;
    for (first, second) in [
        ("bill", "bi11"),
        ("KILL", "ki11"),
        ("Hill", "HI11"),
        ("wi11", "WILL"),
        ("paypal", "paypaI"),
    ] {
        assert_eq!(register(&server, first, None).await.status, 201, "{first}");
        let refused = register(&server, second, None).await;
        assert_eq!((refused.status, refused.code().as_str()), (409, "username_taken"), "{second}");
    }
    for name in [".", "..", "-", "@", "@@@", "x.", "-y", "a\u{3164}", "a\u{34F}b"] {
        let refused = register(&server, name, None).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "text_invalid"), "{name}");
    }
    for (n, shown) in ["A\u{200B}da", "q\u{300}\u{301}\u{302}\u{303}\u{304}", "Bo\u{202E}b"]
        .into_iter()
        .enumerate()
    {
        let refused = register(&server, &format!("name{n}"), Some(shown)).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "text_invalid"), "{shown:?}");
        assert_eq!(refused.json()["field"], "displayName");
    }
    for shown in ["PayPal", "paypaI", "BI11"] {
        let refused = register(&server, "somebody", Some(shown)).await;
        assert_eq!((refused.status, refused.code().as_str()), (409, "username_taken"), "{shown}");
        assert_eq!(refused.json()["field"], "displayName");
    }
    assert_eq!(register(&server, "somebody", Some(" Some  Body ")).await.status, 201);
    // A host's user is let in all the same, under a name of its own.
    let body = json!({"userId": "host1", "displayName": "paypaI"}).to_string();
    let token = request(server.address, "POST", "/dev/token", &[], Some(&body)).await;
    let token = token.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(server.get("/auth/me", &token).await["displayName"], "host1");
}

pub(crate) async fn a_mention_tells_whom_it_names(home: Home) {
    let arguments = ["--dev", "--set", "rooms.create_on_join=true"];
    let server = Server::start_with(&home, &arguments).await;
    let names = ["zoe", "zoë", "सत", "सत्या", "ada"];
    let mut people = Vec::new();
    let mut ids = Vec::new();
    for name in names {
        let mut person = Person::connect(&server, &server.register(name).await).await;
        ids.push(person.ready["user"]["id"].clone());
        // One room, in whatever form its name is typed.
        let room = if people.is_empty() { "Café" } else { "CAFE\u{301}" };
        person.does("conversation.join", json!({"name": room})).await;
        people.push(person);
    }
    let rooms = server.request("GET", "/rooms", Some(&server.register("bo").await), None).await;
    let rooms = rooms.json()["data"].take();
    let named: Vec<_> =
        rooms.as_array().unwrap().iter().filter(|room| room["name"] == "Café").collect();
    assert_eq!(named.len(), 1, "{rooms}");
    let place = named[0]["id"].as_str().unwrap().to_owned();
    let nobody: String = (0..30).map(|n| format!("@nobody{n} ")).collect();
    for (text, expected) in [
        ("@zoe\u{308} hello", vec![1]),
        ("@zoe, @Zoë", vec![0, 1]),
        ("@सत्या", vec![3]),
        ("@सत", vec![2]),
        (&format!("{nobody}@zoe"), vec![0]),
        ("@adamant", vec![]),
    ] {
        let sent = people[4].sends(&place, text).await;
        assert_eq!(sent["content"], text);
        let expected: Vec<_> = expected.into_iter().map(|n: usize| ids[n].clone()).collect();
        let mentions = sent["mentions"].as_array().cloned().unwrap_or_default();
        assert_eq!(mentions, expected, "{text}");
        assert_eq!(people[0].sees(text).await["message"]["mentions"], sent["mentions"], "{text}");
    }
}
