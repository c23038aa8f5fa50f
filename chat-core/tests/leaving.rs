//! Who has left a room is told nothing more of it, and is not shown as typing there.
#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::collections::HashSet;

use chat_core::proto::{ConversationId, ConversationTarget};
use chat_core::{Actor, Chat};
use common::{Device, chat, chat_with, unlimited};
use serde_json::{Value, json};

/// Rooms that are left, one after the other, while others type there.
const ROUNDS: usize = 200;
/// Who type there.
const MEMBERS: usize = 10;

/// Starts and stops typing in a room, as often as others are told of it at once.
async fn types(chat: Chat, user: String, room: ConversationId) {
    let actor = Actor::user(user.parse().unwrap());
    for _ in 0..4 {
        chat.start_typing(&actor, room).await.unwrap();
        tokio::task::yield_now().await;
        chat.stop_typing(&actor, room).await.unwrap();
        tokio::task::yield_now().await;
    }
}

fn is_of(frame: &Value, room: ConversationId) -> bool {
    frame["payload"]["conversationId"] == room.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_of_a_room_comes_after_the_reply_to_leave() {
    let chat = chat_with(unlimited());
    let mut bo = Device::attach(&chat, "bo").await;
    let mut other = Device::attach(&chat, "bo").await;
    let mut members = Vec::new();
    for n in 0..MEMBERS {
        members.push(Device::attach(&chat, &format!("user-{n}")).await.user());
    }
    let leaving = Actor::user("bo".parse().unwrap());
    let mut late = Vec::new();
    for round in 0..ROUNDS {
        let room = bo.creates("tea").await;
        let target = ConversationTarget { conversation_id: Some(room), name: None };
        for member in &members {
            let member = Actor::user(member.parse().unwrap());
            chat.join_room(&member, &target).await.unwrap();
        }
        bo.everything().await;
        let typing: Vec<_> = members
            .iter()
            .map(|member| tokio::spawn(types(chat.clone(), member.clone(), room)))
            .collect();
        let id = bo.begin("conversation.leave", json!({"conversationId": room}));
        while bo.frame().await["id"] != id {}
        for typing in typing {
            typing.await.unwrap();
        }
        let after = bo.everything().await;
        // A device that is behind is told of the leaving, and of nothing after it.
        let told = other.everything().await.into_iter();
        let is_leaving = |frame: &Value| {
            frame["type"] == "member.left" && frame["payload"]["member"]["userId"] == "bo"
        };
        let behind = told.filter(|frame| is_of(frame, room)).skip_while(|f| !is_leaving(f)).skip(1);
        let after = after.into_iter().filter(|frame| is_of(frame, room)).chain(behind);
        late.extend(after.map(|frame| (round, frame)));
    }
    assert!(chat.conversations(&leaving, None, None).await.unwrap().data.is_empty());
    let rounds: HashSet<_> = late.iter().map(|(round, _)| round).collect();
    assert!(late.is_empty(), "in {} of {ROUNDS} rounds, the first {:?}", rounds.len(), late[0]);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_stops_typing_before_that() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let mut bo = Device::attach(&chat, "bo").await;
    let room = ada.creates("tea").await;
    bo.joins(room).await;
    ada.everything().await;
    bo.does("typing.start", json!({"conversationId": room})).await;
    bo.does("conversation.leave", json!({"conversationId": room})).await;
    // Longer than anybody is shown as typing.
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    let told = ada.everything().await;
    let told: Vec<_> = told.iter().filter(|frame| is_of(frame, room)).collect();
    let kinds = told.iter().map(|frame| frame["type"].as_str().unwrap());
    // The joining is told in its own time.
    let kinds: Vec<_> = kinds.filter(|kind| *kind != "member.joined").collect();
    assert_eq!(kinds, ["typing.started", "typing.stopped", "member.left"]);
}
