//! What people do, and what they are told.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use chat_core::auth::{Identity, UserClaims};
use chat_core::proto::CloseCode;
use chat_core::{Actor, ChatConfig, Outgoing, PresenceScope, Session};
use common::{Device, PATIENCE, chat, chat_with, unlimited};
use serde_json::{Value, json};

/// Transports run sessions in tasks.
#[test]
fn a_session_can_be_used_from_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    let _ = |chat: &chat_core::Chat, identity: &Identity, mut session: chat_core::Session| {
        is_send(&chat.attach(identity));
        is_send(&session.next());
    };
}

/// What is said of somebody's presence, but for the number that orders it, which has to be there.
fn unordered(mut entry: Value) -> Value {
    let version = entry.as_object_mut().unwrap().remove("version");
    assert!(version.unwrap().as_u64().unwrap() > 0);
    entry
}

#[tokio::test]
async fn two_people_talk() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut bo = Device::attach(&chat, "bo").await;
    let place = ada.opens("bo").await;
    let created = bo.event("conversation.created").await;
    assert_eq!(created["conversation"]["conversationId"], place.to_string());
    assert_eq!(created["conversation"]["peer"]["username"], "ada");

    let sent = ada.sends(place, "hi").await;
    assert_eq!(sent["seq"], 1);
    let seen = bo.sees("hi").await;
    assert_eq!(seen["message"], sent);
    assert_eq!(bo.sends(place, "hi yourself").await["seq"], 2);
    ada.sees("hi yourself").await;
}

#[tokio::test]
async fn a_sender_is_told_the_origin_and_others_are_not() {
    let chat = chat();
    let mut desk = Device::attach(&chat, "ada").await;
    let mut phone = Device::attach(&chat, "ada").await;
    let mut bo = Device::attach(&chat, "bo").await;
    let place = desk.opens("bo").await;
    desk.sends(place, "hi").await;
    let session = desk.session.id().to_string();
    for (device, origin) in
        [(&mut desk, json!(session)), (&mut phone, json!(session)), (&mut bo, json!(null))]
    {
        let frame = device.wait_for(|frame| frame["type"] == "message.created").await;
        assert_eq!(frame["origin"], origin);
    }
}

#[tokio::test]
async fn sends_in_one_go_are_stored_in_order() {
    let chat = chat_with(unlimited());
    let mut ada = Device::attach(&chat, "ada").await;
    let room = ada.creates("general").await;
    let mut bo = Device::attach(&chat, "bo").await;
    // Joining and sending without waiting works, too.
    let join = bo.begin("conversation.join", json!({"conversationId": room}));
    let ids: Vec<_> = (0..50)
        .map(|n| {
            bo.begin("message.send", json!({"conversationId": room, "content": n.to_string()}))
        })
        .collect();
    bo.answer(join).await.unwrap();
    for (n, id) in ids.into_iter().enumerate() {
        let message = &bo.answer(id).await.unwrap()["message"];
        assert_eq!((&message["seq"], &message["content"]), (&json!(n + 1), &json!(n.to_string())));
    }
    for n in 0..50 {
        assert_eq!(ada.event("message.created").await["message"]["content"], n.to_string());
    }
}

#[tokio::test]
async fn a_repeated_send_is_the_same_message() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let room = ada.creates("general").await;
    let payload = json!({"conversationId": room, "clientId": "c1", "content": "once"});
    let first = ada.does("message.send", payload.clone()).await;
    let again = ada.does("message.send", payload).await;
    assert_eq!(first["message"], again["message"]);
    assert_eq!((&first["repeated"], &again["repeated"]), (&json!(false), &json!(true)));
    assert_eq!(ada.sends(room, "next").await["seq"], 2);
}

#[tokio::test]
async fn bad_input_has_its_code_and_changes_nothing() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut bo = Device::attach(&chat, "bo").await;
    let place = bo.creates("general").await;
    let unknown = chat_core::proto::ConversationId::generate();
    let long = "x".repeat(4_001);
    for (kind, payload, code) in [
        ("message.send", json!({"conversationId": place, "content": "hi"}), "not_found"),
        ("message.send", json!({"conversationId": unknown, "content": "hi"}), "not_found"),
        ("message.send", json!({"conversationId": place, "content": long}), "text_too_long"),
        ("message.send", json!({"conversationId": place, "content": " \u{200b}"}), "text_empty"),
        ("message.send", json!({"content": "hi"}), "invalid_payload"),
        ("history.load", json!({"conversationId": place}), "not_found"),
        ("history.load", json!({"conversationId": place, "limit": 101}), "page_too_large"),
        ("conversation.open", json!({"userId": "ada"}), "self_conversation"),
        ("conversation.open", json!({"username": "nobody"}), "not_found"),
        ("conversation.open", json!({}), "invalid_payload"),
        ("conversation.leave", json!({"conversationId": place}), "not_found"),
        ("typing.start", json!({"conversationId": place}), "not_found"),
        ("receipt.read", json!({"conversationId": place}), "not_found"),
        ("presence.set", json!({"status": "offline"}), "invalid_payload"),
        ("session.authenticate", json!({"token": "t"}), "conflict"),
        ("message.sing", json!({}), "unknown_type"),
    ] {
        let error = ada.tries(kind, payload.clone()).await.unwrap_err();
        assert_eq!(error["code"], code, "{kind} {payload}");
    }
    assert_eq!(bo.does("history.load", json!({"conversationId": place})).await["data"], json!([]));
}

#[tokio::test]
async fn a_flood_is_told_when_to_try_again() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let room = ada.creates("general").await;
    let ids: Vec<_> = (0..40)
        .map(|_| ada.begin("message.send", json!({"conversationId": room, "content": "x"})))
        .collect();
    let mut refused = Vec::new();
    for id in ids {
        refused.extend(ada.answer(id).await.err());
    }
    assert!(refused.len() >= 9, "a burst of 30 passes, little more: {}", refused.len());
    assert_eq!(refused[0]["code"], "rate_limited");
    assert!(refused[0]["retryAfterMs"].as_u64().is_some_and(|ms| (1..=1_000).contains(&ms)));
    assert_eq!(refused[0]["retryable"], true);
}

#[tokio::test]
async fn nobody_can_use_up_anothers_limit_of_conversations() {
    let mut config = unlimited();
    config.limits.memberships_per_user = 2;
    let chat = chat_with(config);
    let mut bo = Device::attach(&chat, "bo").await;
    for other in ["a", "b", "c"] {
        Device::attach(&chat, other).await.opens("bo").await;
    }
    let room = bo.creates("one").await;
    chat.admit(&UserClaims::of("ada".parse().unwrap())).await.unwrap();
    let pair = bo.opens("ada").await;
    for (kind, payload) in [
        ("conversation.create", json!({"name": "two"})),
        ("conversation.open", json!({"userId": "cy"})),
    ] {
        chat.admit(&UserClaims::of("cy".parse().unwrap())).await.unwrap();
        assert_eq!(bo.tries(kind, payload).await.unwrap_err()["code"], "too_many");
    }
    assert_eq!(bo.opens("ada").await, pair, "what is there can still be opened");
    bo.does("conversation.leave", json!({"conversationId": room, "confirm": true})).await;
    bo.creates("two").await;
}

#[tokio::test]
async fn members_of_a_room_come_and_go() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut bo = Device::attach(&chat, "bo").await;
    let room = ada.creates("general").await;
    bo.joins(room).await;
    assert_eq!(ada.event("member.joined").await["member"]["userId"], json!("ada"));
    assert_eq!(ada.event("member.joined").await["member"]["userId"], json!("bo"));
    assert_eq!(bo.event("member.joined").await["member"]["userId"], json!("bo"));
    ada.sends(room, "welcome").await;
    bo.sees("welcome").await;
    bo.does("conversation.leave", json!({"conversationId": room})).await;
    assert_eq!(ada.event("member.left").await["member"]["userId"], json!("bo"));
    assert_eq!(bo.event("member.left").await["member"]["userId"], json!("bo"));
    ada.sends(room, "gone?").await;
    ada.sees("gone?").await;
    let told = bo.everything().await;
    assert!(told.iter().all(|frame| frame["type"] != "message.created"), "{told:?}");
    bo.joins(room).await;
    ada.sends(room, "back!").await;
    bo.sees("back!").await;
}

#[tokio::test]
async fn counts_follow_reading_on_any_device() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut desk = Device::attach(&chat, "bo").await;
    let mut phone = Device::attach(&chat, "bo").await;
    let place = ada.opens("bo").await;
    ada.sends(place, "one").await;
    ada.sends(place, "two @bo").await;
    let list = desk.does("conversation.list", json!({})).await;
    assert_eq!(list["data"][0]["unread"], 2);
    assert_eq!(list["data"][0]["unreadMentions"], 1);
    assert_eq!(list["data"][0]["preview"]["content"], "two @bo");

    let read = desk.does("receipt.read", json!({"conversationId": place, "seq": 1})).await;
    assert_eq!(read, json!({"read": 1, "seq": 1, "unread": 1, "throughSeq": 2}));
    let told = phone.event("unread.changed").await;
    assert_eq!((&told["unread"], &told["totalUnread"]), (&json!(1), &json!(1)));
    let told = ada.event("receipt.read").await;
    assert_eq!((&told["userId"], &told["seq"]), (&json!("bo"), &json!(1)));
    let read = desk.does("receipt.read", json!({"conversationId": place})).await;
    assert_eq!(read, json!({"read": 1, "seq": 2, "unread": 0, "throughSeq": 2}));
    let back = desk.does("receipt.read", json!({"conversationId": place, "seq": 1})).await;
    assert_eq!(back["seq"], 2, "a cursor only moves forward");
}

#[tokio::test]
async fn the_sender_learns_whether_the_other_is_here_and_has_received() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    chat.admit(&UserClaims::of("bo".parse().unwrap())).await.unwrap();
    let place = ada.opens("bo").await;
    let payload = json!({"conversationId": place, "content": "there?"});
    assert_eq!(ada.does("message.send", payload.clone()).await["recipientOnline"], false);
    let mut bo = Device::attach(&chat, "bo").await;
    assert_eq!(ada.does("message.send", payload).await["recipientOnline"], true);
    bo.does("receipt.delivered", json!({"conversationId": place, "seq": 2})).await;
    assert_eq!(ada.event("receipt.delivered").await["seq"], 2);
}

#[tokio::test]
async fn a_greeting_holds_what_a_client_needs() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut bo = Device::attach(&chat, "bo").await;
    let place = ada.opens("bo").await;
    ada.sends(place, "hi").await;
    bo.sees("hi").await;
    let again = Device::attach(&chat, "bo").await;
    let summary = &again.ready["conversations"][0];
    assert_eq!(summary["conversationId"], place.to_string());
    assert_eq!(
        (&summary["lastSeq"], &summary["changeSeq"], &summary["readSeq"], &summary["unread"]),
        (&json!(1), &json!(3), &json!(0), &json!(1))
    );
    assert_eq!(again.ready["hasMore"], false);
    assert_eq!(again.ready["limits"]["textCharacters"], 4_000);
    assert_eq!(again.ready["heartbeat"]["pingIntervalMs"], 25_000);
    let present = again.ready["presence"][0].clone();
    assert_eq!(unordered(present), json!({"userId": "ada", "status": "online"}));
}

#[tokio::test]
async fn typing_is_shown_to_others_and_ends() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut bo = Device::attach(&chat, "bo").await;
    let place = ada.opens("bo").await;
    bo.event("conversation.created").await;
    ada.does("typing.start", json!({"conversationId": place})).await;
    assert_eq!(bo.event("typing.started").await["userId"], "ada");
    ada.does("typing.stop", json!({"conversationId": place})).await;
    assert_eq!(bo.event("typing.stopped").await["userId"], "ada");
    ada.does("typing.start", json!({"conversationId": place})).await;
    ada.sends(place, "done").await;
    bo.event("typing.stopped").await;
    let own = ada.everything().await;
    assert!(own.iter().all(|frame| frame["type"] != "typing.started"), "{own:?}");
}

#[tokio::test(start_paused = true)]
async fn typing_ends_without_a_word() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut bo = Device::attach(&chat, "bo").await;
    let place = ada.opens("bo").await;
    ada.does("typing.start", json!({"conversationId": place})).await;
    let began = tokio::time::Instant::now();
    bo.event("typing.stopped").await;
    let lasted = began.elapsed().as_millis();
    assert!((2_900..=3_300).contains(&lasted), "{lasted} ms");
}

#[tokio::test(start_paused = true)]
async fn presence_has_one_status_for_all_tabs_and_a_grace_time() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let tab = Device::attach(&chat, "bo").await;
    let other_tab = Device::attach(&chat, "bo").await;
    ada.opens("bo").await;
    drop(tab);
    drop(other_tab);
    for _ in 0..14 {
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
    }
    // Looked at before the return, which would replace what was not read yet.
    let told = ada.everything().await;
    assert!(told.iter().all(|f| f["payload"]["status"] != "offline"), "no flicker: {told:?}");
    let back = Device::attach(&chat, "bo").await;
    for _ in 0..60 {
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
    }
    let told = ada.everything().await;
    assert!(told.iter().all(|f| f["payload"]["status"] != "offline"), "no flicker: {told:?}");
    drop(back);
    let mut gone = ada.wait_for(|frame| frame["payload"]["status"] == "offline").await;
    let gone = gone["payload"].take();
    assert_eq!(gone["userId"], "bo");
    assert!(gone["lastSeenAt"].is_string());
    let _back = Device::attach(&chat, "bo").await;
    assert_eq!(ada.event("presence.changed").await["status"], "online");
}

#[tokio::test]
async fn people_who_meet_learn_that_the_other_is_here() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut bo = Device::attach(&chat, "bo").await;
    assert_eq!(ada.ready["presence"], json!([]));
    ada.opens("bo").await;
    let (told, other) = (ada.event("presence.changed").await, bo.event("presence.changed").await);
    assert_eq!(unordered(told), json!({"userId": "bo", "status": "online"}));
    assert_eq!(unordered(other), json!({"userId": "ada", "status": "online"}));

    let room = ada.creates("general").await;
    let mut cy = Device::attach(&chat, "cy").await;
    cy.joins(room).await;
    assert_eq!(cy.event("presence.changed").await["userId"], "ada");
    ada.wait_for(|f| f["type"] == "presence.changed" && f["payload"]["userId"] == "cy").await;
}

#[tokio::test(start_paused = true)]
async fn live_events_wait_for_a_resume_but_not_for_long() {
    use futures::FutureExt;
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut bo = Device::attach(&chat, "bo").await;
    let place = ada.opens("bo").await;
    ada.sends(place, "missed").await;
    let known = bo.sees("missed").await["changeSeq"].as_u64().unwrap() - 1;
    drop(bo);
    let mut bo = Device::attach(&chat, "bo").await;
    ada.sends(place, "live").await;
    ada.sees("live").await;
    assert!(bo.session.next().now_or_never().is_none(), "nothing before the resume");
    let resume = bo.begin("session.resume", json!({"cursors": {place.to_string(): known}}));
    let mut told = Vec::new();
    loop {
        let frame = bo.frame().await;
        if frame["id"] == resume {
            break;
        }
        told.push(frame["payload"]["message"]["content"].clone());
    }
    assert_eq!(told, ["missed", "live"], "once each, in order");

    let mut silent = Device::attach(&chat, "bo").await;
    ada.sends(place, "later").await;
    let began = tokio::time::Instant::now();
    silent.sees("later").await;
    assert!((200..=300).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_number_that_a_conversation_does_not_have_is_reset() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let place = ada.creates("general").await;
    ada.sends(place, "hello").await;
    let changes = ada.sees("hello").await["changeSeq"].as_u64().unwrap();
    let known = json!({"cursors": {place.to_string(): changes + 1}});
    // As after an older backup was restored, while its numbers are below those that were seen.
    let answer = ada.does("session.resume", known.clone()).await;
    assert_eq!((&answer["replayed"], &answer["reset"]), (&json!(0), &json!([place])));
    // Once they have come as far, nobody can tell.
    ada.sends(place, "instead of another").await;
    let answer = ada.does("session.resume", known).await;
    assert_eq!((&answer["replayed"], &answer["reset"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn every_device_of_a_user_is_told_of_every_conversation() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut desk = Device::attach(&chat, "bo").await;
    let place = ada.opens("bo").await;
    desk.event("conversation.created").await;
    let mut phone = Device::attach(&chat, "bo").await;
    ada.sends(place, "to both").await;
    desk.sees("to both").await;
    phone.sees("to both").await;
    let room = phone.creates("general").await;
    assert_eq!(desk.event("conversation.created").await["conversationId"], room.to_string());
}

#[tokio::test]
async fn a_conversation_that_appears_is_told_from_its_beginning() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut bo = Device::attach(&chat, "bo").await;
    let place = ada.opens("bo").await;
    ada.sends(place, "at once").await;
    let created = bo.event("conversation.created").await;
    let summary = &created["conversation"];
    assert_eq!((&summary["unread"], &summary["lastSeq"]), (&json!(0), &json!(0)));
    let seen = bo.sees("at once").await;
    assert!(seen["changeSeq"].as_u64() > summary["changeSeq"].as_u64());
}

#[tokio::test(start_paused = true)]
async fn when_somebody_was_here_is_told_to_those_who_may_know() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut hidden = Device::attach(&chat, "bo").await;
    ada.opens("bo").await;
    hidden.does("presence.set", json!({"status": "invisible"})).await;
    ada.wait_for(|frame| frame["payload"]["status"] == "offline").await;
    drop(hidden);
    for _ in 0..60 {
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
    }
    let told = ada.everything().await;
    assert!(told.iter().all(|frame| frame["type"] != "presence.changed"), "{told:?}");
    let bo = "bo".parse().unwrap();
    assert_eq!(chat.user(&bo).await.unwrap().last_seen_at, None);

    let mut shown = Device::attach(&chat, "bo").await;
    shown.does("presence.set", json!({"status": "online"})).await;
    ada.wait_for(|frame| frame["payload"]["status"] == "online").await;
    drop(shown);
    ada.wait_for(|frame| frame["payload"]["lastSeenAt"].is_string()).await;
    assert_eq!(chat.user(&bo).await.unwrap().last_seen_at, None, "a stranger may ask");
    assert_eq!(
        chat.search_users(&Actor::user("ada".parse().unwrap()), "bo", None).await.unwrap()[0]
            .last_seen_at,
        None
    );
    let peer = ada.does("conversation.list", json!({})).await["data"][0]["peer"].take();
    assert!(peer["lastSeenAt"].is_string(), "who shares a conversation may know: {peer}");
}

#[tokio::test]
async fn presence_is_shown_to_those_who_may_see_it() {
    for (scope, stranger_sees) in [(PresenceScope::Shared, false), (PresenceScope::Everyone, true)]
    {
        let config = ChatConfig { presence_scope: scope, ..ChatConfig::default() };
        let chat = chat_with(config);
        let mut ada = Device::attach(&chat, "ada").await;
        let mut bo = Device::attach(&chat, "bo").await;
        let mut stranger = Device::attach(&chat, "eve").await;
        ada.opens("bo").await;
        bo.does("presence.set", json!({"status": "away"})).await;
        assert_eq!(
            ada.wait_for(|f| f["payload"]["status"] == "away").await["payload"]["userId"],
            "bo"
        );
        bo.does("presence.set", json!({"status": "invisible"})).await;
        ada.wait_for(|f| f["payload"]["status"] == "offline").await;
        let told = stranger.everything().await;
        let seen = told.iter().any(|frame| frame["payload"]["userId"] == "bo");
        assert_eq!(seen, stranger_sees, "{told:?}");
        let list = ada.does("presence.list", json!({})).await;
        let listed = list["presence"].as_array().unwrap();
        assert!(listed.iter().all(|entry| entry["userId"] != "bo"), "invisible: {listed:?}");
    }
}

#[tokio::test]
async fn rooms_appear_by_name_where_that_is_turned_on() {
    let chat = chat_with(ChatConfig { create_rooms_on_join: true, ..ChatConfig::default() });
    let mut ada = Device::attach(&chat, "ada").await;
    let mut bo = Device::attach(&chat, "bo").await;
    let made = ada.does("conversation.join", json!({"name": "Lounge"})).await;
    let found = bo.does("conversation.join", json!({"name": "lounge"})).await;
    assert_eq!(made["conversation"]["id"], found["conversation"]["id"]);
    assert_eq!(found["conversation"]["memberCount"], 2);
    let rooms = bo.does("room.list", json!({})).await;
    assert_eq!(rooms["data"][0]["name"], "Lounge");

    let strict = common::chat();
    let mut ada = Device::attach(&strict, "ada").await;
    let error = ada.tries("conversation.join", json!({"name": "Lounge"})).await.unwrap_err();
    assert_eq!(error["code"], "not_found");
}

#[tokio::test]
async fn a_revoked_login_ends_its_connections_and_no_others() {
    let chat = chat();
    let login = chat_core::proto::LoginSessionId::generate();
    let identity = Identity { login: Some(login), ..Identity::of("ada".parse().unwrap()) };
    let mut revoked = Device::attach_as(&chat, &identity).await;
    let mut other = Device::attach(&chat, "ada").await;
    chat.end_logins(&"ada".parse().unwrap(), &[login]);
    revoked.event("session.revoked").await;
    assert_eq!(revoked.closes().await, CloseCode::SessionRevoked);
    other.does("ping", json!({})).await;
}

#[tokio::test]
async fn a_revoked_login_is_told_nothing_more_of_what_waits_for_it() {
    let chat = chat_with(unlimited());
    let login = chat_core::proto::LoginSessionId::generate();
    let identity = Identity { login: Some(login), ..Identity::of("bo".parse().unwrap()) };
    let mut bo = chat.attach(&identity).await.unwrap();
    let mut ada = Device::attach(&chat, "ada").await;
    let pair = ada.opens("bo").await;
    // Its answer ends the time in which events wait for a resume.
    bo.receive(r#"{"id":1,"type":"ping","payload":{}}"#);
    frames_until(&mut bo, |frame| frame["id"] == 1).await;
    for text in 0..200 {
        ada.sends(pair, &text.to_string()).await;
    }
    // The first of them are taken, and after an answer it is the turn of the others.
    frames_until(&mut bo, |frame| frame["type"] == "message.created").await;
    bo.receive(r#"{"id":2,"type":"ping","payload":{}}"#);
    frames_until(&mut bo, |frame| frame["id"] == 2).await;
    chat.end_logins(&"bo".parse().unwrap(), &[login]);
    let last = frames(&mut bo).await.expect("a last word");
    assert_eq!(last.iter().map(|frame| &frame["type"]).collect::<Vec<_>>(), ["session.revoked"]);
    assert_eq!(frames(&mut bo).await, Err(CloseCode::SessionRevoked));
}

#[tokio::test(start_paused = true)]
async fn a_connection_ends_with_its_token() {
    let chat = chat();
    let expires_at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(20);
    let identity =
        Identity { expires_at: Some(expires_at), ..Identity::of("ada".parse().unwrap()) };
    let mut ada = Device::attach_as(&chat, &identity).await;
    assert_eq!(ada.closes().await, CloseCode::TokenExpired);
}

#[tokio::test]
async fn a_draining_engine_answers_and_then_closes() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let room = ada.creates("general").await;
    let id = ada.begin("message.send", json!({"conversationId": room, "content": "last"}));
    chat.drain(std::time::Duration::from_secs(5));
    let window = ada.event("session.draining").await;
    assert_eq!(window["reconnectAfterMs"], json!([0, 5_000]));
    assert_eq!(ada.answer(id).await.unwrap()["message"]["seq"], 1);
    assert_eq!(ada.closes().await, CloseCode::Draining);
    assert!(chat.attach(&Identity::of("bo".parse().unwrap())).await.is_err());
    chat.shutdown().await;
}

#[tokio::test]
async fn a_user_has_so_many_connections_and_no_more() {
    let mut config = ChatConfig::default();
    config.limits.sessions_per_user = 2;
    let chat = chat_with(config);
    let identity = Identity::of("ada".parse().unwrap());
    let _first = chat.attach(&identity).await.unwrap();
    let second = chat.attach(&identity).await.unwrap();
    assert_eq!(chat.attach(&identity).await.unwrap_err().code().as_str(), "too_many");
    drop(second);
    chat.attach(&identity).await.unwrap();
}

#[tokio::test]
async fn a_reader_that_stops_is_closed_and_others_notice_nothing() {
    let chat = chat_with(unlimited());
    let mut ada = Device::attach(&chat, "ada").await;
    let room = ada.creates("general").await;
    let mut stuck = Device::attach(&chat, "bo").await;
    stuck.joins(room).await;
    let mut reader = Device::attach(&chat, "eve").await;
    reader.joins(room).await;
    for n in 0..600 {
        ada.sends(room, &format!("{n} {}", "x".repeat(3_000))).await;
        reader.event("message.created").await;
    }
    assert_eq!(stuck.closes().await, CloseCode::SlowReader);
    let known = json!({"cursors": {room.to_string(): 3}});
    drop(stuck);
    let mut back = Device::attach(&chat, "bo").await;
    let resume = back.begin("session.resume", known);
    for n in 0..600 {
        let text = back.event("message.created").await["message"]["content"].take();
        assert!(text.as_str().unwrap().starts_with(&format!("{n} ")), "{n}");
    }
    assert_eq!(back.answer(resume).await.unwrap()["replayed"], 600);
}

/// What a session says next.
async fn frames(session: &mut Session) -> Result<Vec<Value>, CloseCode> {
    match tokio::time::timeout(PATIENCE, session.next()).await.expect("a frame") {
        Outgoing::Frames(frames) => {
            Ok(frames.iter().map(|frame| serde_json::from_slice(frame).unwrap()).collect())
        }
        Outgoing::Close(code) => Err(code),
    }
}

/// Takes what a session says, up to the batch that has a wanted frame.
async fn frames_until(session: &mut Session, wanted: impl Fn(&Value) -> bool) {
    while !frames(session).await.expect("a frame").iter().any(&wanted) {}
}
