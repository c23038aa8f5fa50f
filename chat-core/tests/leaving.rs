//! Who has left a room is told nothing more of it, and is not shown as typing there.
#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_core::proto::ConversationId;
use chat_core::{Actor, Chat};
use common::{Device, chat, chat_with, unlimited};
use serde_json::{Value, json};

/// Rooms that are left, one after the other, while others type there.
const ROUNDS: usize = 300;

/// Starts and stops typing in a room until told to stop.
async fn types(chat: Chat, user: &'static str, room: ConversationId, stop: Arc<AtomicBool>) {
    let actor = Actor::user(user.parse().unwrap());
    while !stop.load(Ordering::Relaxed) {
        chat.start_typing(&actor, room).await.unwrap();
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
    let mut ada = Device::attach(&chat, "ada").await;
    let mut cy = Device::attach(&chat, "cy").await;
    let mut bo = Device::attach(&chat, "bo").await;
    let mut other = Device::attach(&chat, "bo").await;
    let mut late = Vec::new();
    for round in 0..ROUNDS {
        let room = ada.creates("tea").await;
        cy.joins(room).await;
        bo.joins(room).await;
        bo.everything().await;
        let stop = Arc::new(AtomicBool::new(false));
        let typing = ["ada", "cy"]
            .map(|user| tokio::spawn(types(chat.clone(), user, room, Arc::clone(&stop))));
        bo.event("typing.started").await;
        let id = bo.begin("conversation.leave", json!({"conversationId": room}));
        while bo.frame().await["id"] != id {}
        let after = bo.everything().await;
        late.extend(after.into_iter().filter(|frame| is_of(frame, room)).map(|f| (round, f)));
        let left = |frame: &Value| frame["type"] == "member.left" && is_of(frame, room);
        while !left(&other.frame().await) {}
        let after = other.everything().await;
        late.extend(after.into_iter().filter(|frame| is_of(frame, room)).map(|f| (round, f)));
        stop.store(true, Ordering::Relaxed);
        for typing in typing {
            typing.await.unwrap();
        }
        ada.everything().await;
        cy.everything().await;
    }
    assert!(late.is_empty(), "{} after the reply, the first {:?}", late.len(), late[0]);
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
    let kinds: Vec<_> = told.iter().map(|frame| frame["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["typing.started", "typing.stopped", "member.left"]);
}
