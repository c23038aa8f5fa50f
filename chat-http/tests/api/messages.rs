//! Messages: sent, repeated, read page by page.

use serde_json::{Value, json};

use crate::support::{Api, BASE, Client};

/// A room of ada's with this many messages, and the path of its messages.
async fn room(api: &Api, messages: usize) -> String {
    let room = api.ada().makes_room("general", "public").await;
    for n in 1..=messages {
        api.ada().sends(&room, &format!("message {n}")).await;
    }
    format!("/conversations/{room}/messages")
}

fn seqs(page: &Value) -> Vec<u64> {
    let data = page["data"].as_array().unwrap().iter();
    data.map(|message| message["seq"].as_u64().unwrap()).collect()
}

async fn page(client: &Client, path: &str, query: &str) -> Value {
    client.get(&format!("{path}?{query}")).await.ok(200)
}

#[tokio::test]
async fn a_message_is_sent_and_found() {
    let api = Api::start();
    let path = room(&api, 0).await;
    let answer = api.ada().post(&path, json!({"content": " h\u{e9}llo <b>\n"})).await;
    let message = answer.ok(201);
    assert_eq!(message["content"], " h\u{e9}llo <b>\n", "as it was written");
    assert_eq!((&message["seq"], &message["senderId"]), (&json!(1), &json!("ada")));
    assert_eq!(message.get("recipientOnline"), None, "nobody in particular");
    let location = answer.header("location").unwrap();
    assert_eq!(location, format!("{BASE}/messages/{}", message["id"].as_str().unwrap()));
    let found = api.ada().get(location.strip_prefix(BASE).unwrap()).await.ok(200);
    assert_eq!(found, message);
}

#[tokio::test]
async fn the_sender_is_told_whether_the_other_is_here() {
    let api = Api::start();
    api.bo().appears().await;
    let direct = api.ada().opens("bo").await;
    assert_eq!(api.ada().sends(&direct, "hi").await["recipientOnline"], false);
}

#[tokio::test]
async fn a_repeated_send_is_the_same_message() {
    let api = Api::start();
    let path = room(&api, 0).await;
    let first = api.ada().post(&path, json!({"content": "one", "clientId": "c-1"})).await.ok(201);
    let again = api.ada().post(&path, json!({"content": "other", "clientId": "c-1"})).await.ok(200);
    assert_eq!(first, again);
    let next = api.ada().post(&path, json!({"content": "two", "clientId": "c-2"})).await.ok(201);
    assert_eq!(next["seq"], 2);
    assert_eq!(seqs(&page(&api.ada(), &path, "").await), [1, 2]);
}

#[tokio::test]
async fn of_sends_repeated_at_once_one_is_new() {
    let api = Api::start();
    let path = room(&api, 0).await;
    let ada = api.ada();
    let send = || ada.post(&path, json!({"content": "one", "clientId": "c-1"}));
    let answers = futures::future::join_all((0..20).map(|_| send())).await;
    let new = answers.iter().filter(|answer| answer.status == 201).count();
    let repeats = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((new, repeats), (1, 19));
    assert!(answers.iter().all(|answer| answer.bytes == answers[0].bytes));
    assert_eq!(seqs(&page(&ada, &path, "").await), [1]);
}

#[tokio::test]
async fn the_path_decides_where_to() {
    let api = Api::start();
    let path = room(&api, 0).await;
    let other = api.bo().makes_room("other", "private").await;
    let message = json!({"content": "hi", "conversationId": other, "senderId": "bo"});
    let sent = api.ada().post(&path, message).await.ok(201);
    assert!(path.contains(sent["conversationId"].as_str().unwrap()));
    assert_eq!(sent["senderId"], "ada");
}

#[tokio::test]
async fn what_is_wrong_with_a_message_is_named() {
    let api = Api::start();
    let path = room(&api, 0).await;
    for (message, code) in [
        (json!({}), "invalid_payload"),
        (json!({"content": null}), "invalid_payload"),
        (json!({"content": 1}), "invalid_payload"),
        (json!({"content": "hi", "clientId": ""}), "invalid_payload"),
        (json!({"content": "hi", "clientId": "x".repeat(129)}), "invalid_payload"),
        (json!({"content": ""}), "text_empty"),
        (json!({"content": " \n\u{200B}"}), "text_empty"),
        (json!({"content": "a\u{0}b"}), "text_invalid"),
        (json!({"content": "\u{e9}".repeat(4_001)}), "text_too_long"),
    ] {
        api.ada().post(&path, message).await.problem(422, code);
    }
    api.ada().post(&path, json!({"content": "\u{e9}".repeat(4_000)})).await.ok(201);
    assert_eq!(seqs(&page(&api.ada(), &path, "").await), [1], "nothing refused took a number");
}

#[tokio::test]
async fn history_is_walked_to_its_beginning() {
    let api = Api::start();
    let path = room(&api, 23).await;
    let (mut seen, mut query) = (Vec::new(), "limit=5".to_owned());
    for _ in 0..20 {
        let page = page(&api.ada(), &path, &query).await;
        assert_eq!(page["meta"]["lastSeq"], 23);
        seen.splice(0..0, seqs(&page));
        let next = page["meta"]["nextCursor"].as_str();
        assert_eq!(page["meta"]["hasMore"], next.is_some());
        let Some(next) = next else { break };
        query = format!("limit=5&cursor={next}");
    }
    assert_eq!(seen, (1..=23).collect::<Vec<_>>());
}

#[tokio::test]
async fn history_is_walked_to_its_end() {
    let api = Api::start();
    let path = room(&api, 12).await;
    let (mut seen, mut query) = (Vec::new(), "limit=5&after=0".to_owned());
    for _ in 0..20 {
        let page = page(&api.ada(), &path, &query).await;
        seen.extend(seqs(&page));
        let Some(next) = page["meta"]["nextCursor"].as_str() else { break };
        query = format!("limit=5&cursor={next}");
    }
    assert_eq!(seen, (1..=12).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_page_lies_where_it_was_asked_for() {
    let api = Api::start();
    let path = room(&api, 20).await;
    for (query, expected) in [
        ("limit=3", vec![18, 19, 20]),
        ("limit=3&before=10", vec![7, 8, 9]),
        ("limit=3&after=10", vec![11, 12, 13]),
        ("limit=3&offset=5", vec![13, 14, 15]),
        ("limit=3&before=1", vec![]),
        ("limit=3&after=20", vec![]),
        ("limit=3&before=18446744073709551615", vec![18, 19, 20]),
        ("limit=3&after=18446744073709551615", vec![]),
        ("limit=3&offset=18446744073709551615", vec![]),
    ] {
        assert_eq!(seqs(&page(&api.ada(), &path, query).await), expected, "{query}");
    }
    let around = seqs(&page(&api.ada(), &path, "limit=5&around=10").await);
    assert!(around.len() == 5 && around.contains(&10), "{around:?}");
    for (around, expected) in [
        ("1", 1..=5),
        ("2", 1..=5),
        ("18", 16..=20),
        ("19", 16..=20),
        ("20", 16..=20),
        ("18446744073709551615", 16..=20),
    ] {
        let page = page(&api.ada(), &path, &format!("limit=5&around={around}")).await;
        assert_eq!(seqs(&page), expected.collect::<Vec<_>>(), "around {around}");
        assert_eq!(page["meta"]["hasNewer"], around == "1" || around == "2", "{page}");
    }
    let answer = api.ada().get(&format!("{path}?before=3&after=1")).await;
    answer.problem(422, "invalid_payload");
}
