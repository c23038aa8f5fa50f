//! Coming and going: what is decided with a change of memberships, and what follows from it.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_core::auth::UserClaims;
use chat_core::proto::{ConversationId, ConversationTarget, MemberRole, UserId};
use chat_core::store::{MemberStore, Store, StoreError};
use chat_core::testing::{Call, Watch, WatchedStore};
use chat_core::{Actor, Chat, ChatError, MemoryStore};
use common::{Device, chat, unlimited};
use futures::future::join_all;
use serde_json::{Value, json};

fn id(user: &str) -> UserId {
    user.parse().unwrap()
}

async fn admit(chat: &Chat, user: &str) -> Actor {
    Actor::user(chat.admit(&UserClaims::of(id(user))).await.unwrap().id)
}

fn target(room: ConversationId) -> ConversationTarget {
    ConversationTarget { conversation_id: Some(room), name: None }
}

/// Sees every call, and has things happen right after a join.
#[derive(Debug, Default)]
struct AfterJoins {
    calls: Mutex<Vec<&'static str>>,
    joined: AtomicBool,
    /// Where the user `bo` leaves as soon as a join has taken effect.
    leaves: Mutex<Option<(Arc<MemoryStore>, ConversationId)>>,
    /// Whether the store does not answer from then on.
    goes_away: AtomicBool,
}

#[async_trait]
impl Watch for AfterJoins {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        if self.joined.load(Ordering::SeqCst) && self.goes_away.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("away"));
        }
        self.calls.lock().unwrap().push(call.method);
        Ok(())
    }

    async fn after(&self, call: Call) {
        if call.method == "join" {
            self.joined.store(true, Ordering::SeqCst);
            let leaves = self.leaves.lock().unwrap().take();
            if let Some((store, room)) = leaves {
                store.leave(room, &id("bo"), false).await.unwrap();
            }
        }
    }
}

/// An engine over a store that is watched, with a room of ada's.
async fn watched() -> (Chat, Arc<AfterJoins>, Arc<MemoryStore>, ConversationId) {
    let (store, watch) = (Arc::new(MemoryStore::new()), Arc::new(AfterJoins::default()));
    let seen = Arc::new(WatchedStore::new(store.clone() as Arc<dyn Store>, watch.clone()));
    let chat = Chat::builder(seen).config(unlimited()).build();
    let ada = admit(&chat, "ada").await;
    let room = serde_json::from_value(json!({"name": "general"})).unwrap();
    let room = chat.create_room(&ada, room).await.unwrap().conversation_id;
    admit(&chat, "bo").await;
    (chat, watch, store, room)
}

#[tokio::test]
async fn a_join_that_races_with_the_leaving_is_answered_with_the_room() {
    let (chat, watch, store, room) = watched().await;
    *watch.leaves.lock().unwrap() = Some((store.clone(), room));
    let joined = chat.join_room(&Actor::user(id("bo")), &target(room)).await.unwrap();
    assert_eq!((joined.conversation_id, joined.conversation.member_count), (room, 2));
    assert_eq!(joined.change_seq, 2);
    assert_eq!(store.member(room, &id("bo")).await.unwrap(), None, "the leaving came last");
}

#[tokio::test]
async fn a_join_that_took_effect_is_answered_though_the_store_goes_away() {
    let (chat, watch, store, room) = watched().await;
    watch.goes_away.store(true, Ordering::SeqCst);
    let joined = chat.join_room(&Actor::user(id("bo")), &target(room)).await.unwrap();
    assert_eq!(joined.conversation.member_count, 2);
    assert!(store.member(room, &id("bo")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_join_is_one_call_of_the_store() {
    let (chat, watch, _, room) = watched().await;
    let _ada = Device::attach(&chat, "ada").await;
    watch.calls.lock().unwrap().clear();
    chat.join_room(&Actor::user(id("bo")), &target(room)).await.unwrap();
    assert_eq!(*watch.calls.lock().unwrap(), ["join"]);
}

/// What a newcomer is told does not grow with the members: their number, a page of them, and who of that
/// page is here.
#[tokio::test]
async fn a_newcomer_of_a_large_room_is_told_of_a_page_of_its_members() {
    let chat = common::chat_with(unlimited());
    let mut ada = Device::attach(&chat, "ada").await;
    let room = ada.creates("general").await;
    let mut here = Vec::new();
    for n in 0..80 {
        let mut member = Device::attach(&chat, &format!("member{n:02}")).await;
        member.joins(room).await;
        here.push(member);
    }
    let mut bo = Device::attach(&chat, "zoe").await;
    bo.joins(room).await;
    let created = bo.event("conversation.created").await;
    assert_eq!(created["conversation"]["memberCount"], 82);
    let members = created["members"]["data"].as_array().unwrap();
    assert_eq!((members.len(), &members[0]["userId"]), (50, &json!("ada")));
    assert_eq!(created["members"]["meta"]["hasMore"], true);
    let cursor = created["members"]["meta"]["nextCursor"].clone();
    let rest = bo.does("conversation.members", json!({"conversationId": room, "cursor": cursor}));
    assert_eq!(rest.await["data"].as_array().unwrap().len(), 32);
    bo.wait_for(|frame| is_joining(frame, "zoe")).await;
    let told = bo.everything().await;
    let count = |kind: &str| told.iter().filter(|frame| frame["type"] == kind).count();
    assert_eq!((count("presence.changed"), count("member.joined")), (50, 0));
    // Those who were there learn of the newcomer, and that it is here.
    for member in here.iter_mut().take(3) {
        member.wait_for(|frame| is_joining(frame, "zoe")).await;
        let shown = |frame: &Value| {
            frame["type"] == "presence.changed" && frame["payload"]["userId"] == "zoe"
        };
        assert_eq!(member.wait_for(shown).await["payload"]["status"], "online");
    }
}

fn is_joining(frame: &Value, user: &str) -> bool {
    frame["type"] == "member.joined" && frame["payload"]["member"]["userId"] == user
}

#[tokio::test]
async fn a_room_that_its_owner_leaves_is_inherited_live_and_in_catching_up() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let room = ada.creates("general").await;
    let mut bo = Device::attach(&chat, "bo").await;
    let mut cy = Device::attach(&chat, "cy").await;
    bo.joins(room).await;
    cy.joins(room).await;
    // Away from here on: what is missed is caught up.
    drop(cy);
    ada.does("conversation.leave", json!({"conversationId": room})).await;
    let updated = bo.event("member.updated").await;
    assert_eq!((&updated["member"]["userId"], &updated["changeSeq"]), (&json!("bo"), &json!(4)));
    assert_eq!(updated["member"]["role"], "owner");
    let left = bo.event("member.left").await;
    assert_eq!((&left["member"]["userId"], &left["changeSeq"]), (&json!("ada"), &json!(5)));
    assert_eq!(left["member"]["role"], "member");
    for (known, kinds) in [
        (3, &["member.updated", "member.left"][..]),
        (4, &["member.left"][..]),
        // Who does not know of the joining is told that, with the role of now.
        (1, &["member.joined", "member.joined", "member.left"][..]),
    ] {
        let mut cy = Device::attach(&chat, "cy").await;
        let resume = cy.begin("session.resume", json!({"cursors": {room.to_string(): known}}));
        let mut told = Vec::new();
        loop {
            let frame = cy.frame().await;
            if frame["id"] == resume {
                break;
            }
            told.push(frame);
        }
        told.retain(|frame| frame["type"].as_str().unwrap().starts_with("member."));
        let told: Vec<_> = told.iter().map(|frame| frame["type"].as_str().unwrap()).collect();
        assert_eq!(told, kinds, "after {known}");
    }
    let members = bo.does("conversation.members", json!({"conversationId": room})).await;
    assert_eq!(members["data"][0]["role"], json!(MemberRole::Owner));
}

#[tokio::test]
async fn the_last_member_is_told_what_leaving_means_and_confirms_it() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let made = json!({"name": "secret", "visibility": "private"});
    let room = ada.does("conversation.create", made).await["conversation"]["id"].clone();
    let refused = ada.tries("conversation.leave", json!({"conversationId": room})).await;
    let refused = refused.unwrap_err();
    assert_eq!((&refused["code"], &refused["retryable"]), (&json!("last_member"), &json!(false)));
    ada.does("message.send", json!({"conversationId": room, "content": "still here"})).await;
    ada.does("conversation.leave", json!({"conversationId": room, "confirm": true})).await;
    let error = ada.tries("conversation.leave", json!({"conversationId": room, "confirm": true}));
    assert_eq!(error.await.unwrap_err()["code"], "not_found");
}

#[tokio::test]
async fn who_joins_a_room_that_nobody_is_in_owns_it() {
    let chat = chat();
    let mut ada = Device::attach(&chat, "ada").await;
    let room = ada.creates("general").await;
    ada.does("conversation.leave", json!({"conversationId": room, "confirm": true})).await;
    let mut bo = Device::attach(&chat, "bo").await;
    bo.joins(room).await;
    let members = bo.does("conversation.members", json!({"conversationId": room})).await;
    assert_eq!(members["data"][0]["role"], "owner");
}

/// Counts how often users are recorded.
#[derive(Debug, Default)]
struct Recordings(AtomicUsize);

#[async_trait]
impl Watch for Recordings {
    async fn after(&self, call: Call) {
        if call.method.starts_with("ensure_user") {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        // As a database does, so that others come meanwhile.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn those_who_are_seen_for_the_first_time_together_are_recorded_together() {
    let watch = Arc::new(Recordings::default());
    let seen = Arc::new(WatchedStore::new(Arc::new(MemoryStore::new()), watch.clone()));
    let chat = Chat::builder(seen).config(unlimited()).build();
    let claims: Vec<_> = (0..64).map(|n| UserClaims::of(id(&format!("user{n}")))).collect();
    let admitted = join_all(claims.iter().map(|claims| chat.admit(claims))).await;
    for (claims, user) in claims.iter().zip(admitted) {
        assert_eq!(user.unwrap().id, claims.id);
    }
    let calls = watch.0.load(Ordering::SeqCst);
    assert!((1..=4).contains(&calls), "{calls} calls for 64 users");
}

/// What limits a user is decided with what is added to it: by the store, whatever the engine saw before.
#[tokio::test]
async fn a_limit_on_memberships_is_decided_with_what_is_added() {
    let mut config = unlimited();
    config.limits.memberships_per_user = 4;
    let chat = common::chat_with(config);
    let ada = admit(&chat, "ada").await;
    let made = (0..16).map(async |n| {
        let room = serde_json::from_value(json!({"name": format!("room {n}")})).unwrap();
        match chat.create_room(&ada, room).await {
            Ok(_) => true,
            Err(ChatError::TooMany(_)) => false,
            Err(error) => panic!("{error}"),
        }
    });
    assert_eq!(join_all(made).await.into_iter().filter(|made| *made).count(), 4);
}
