//! What tests begin with: people, rooms and messages in one line each.

#![allow(dead_code, reason = "each test uses some of it")]

use std::time::Duration;

use chat_core::proto::{
    ClientId, ConversationId, DisplayName, Message, MessageBody, MessageId, RoomName, UserId,
    Username, Visibility,
};
use chat_core::store::{AppendOutcome, MessageDraft, NewRoom, NewUser, Store};
use jiff::Timestamp;

/// Longer than anything here takes.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

pub(crate) fn new_user(name: &str) -> NewUser {
    let username = Username::parse(name).unwrap();
    NewUser {
        id: name.parse().unwrap(),
        display_name: DisplayName::from(&username),
        username,
        created_at: Timestamp::now(),
    }
}

pub(crate) fn new_room(owner: &UserId) -> NewRoom {
    NewRoom {
        id: ConversationId::generate(),
        name: RoomName::parse("general").unwrap(),
        topic: None,
        visibility: Visibility::Public,
        owner: owner.clone(),
        created_at: Timestamp::now(),
        max_memberships: 1_000,
    }
}

pub(crate) async fn user(store: &dyn Store, name: &str) -> UserId {
    store.ensure_user(new_user(name)).await.unwrap();
    name.parse().unwrap()
}

/// Makes a room.
pub(crate) async fn made(store: &dyn Store, owner: &UserId) -> ConversationId {
    store.create_room(new_room(owner)).await.unwrap().conversation().unwrap().id
}

/// A room with ada as its only member.
pub(crate) async fn room(store: &dyn Store) -> (ConversationId, UserId) {
    let ada = user(store, "ada").await;
    (made(store, &ada).await, ada)
}

pub(crate) fn draft(room: ConversationId, sender: &UserId) -> MessageDraft {
    let content = MessageBody::parse("hello @ada, hello @bob", 100).unwrap();
    MessageDraft {
        id: MessageId::generate(),
        conversation_id: room,
        sender_id: sender.clone(),
        client_id: ClientId::generate(),
        mentions: content.mentions(),
        content,
        created_at: Timestamp::now(),
    }
}

/// A message that mentions nobody.
pub(crate) fn plain_draft(room: ConversationId, sender: &UserId) -> MessageDraft {
    let content = MessageBody::parse("hello", 100).unwrap();
    MessageDraft { content, mentions: Vec::new(), ..draft(room, sender) }
}

pub(crate) async fn send(store: &dyn Store, room: ConversationId, sender: &UserId) -> Message {
    match store.append(vec![plain_draft(room, sender)]).await.unwrap().remove(0) {
        AppendOutcome::Stored(message) => message,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn history(store: &dyn Store, room: ConversationId) -> Vec<Message> {
    store.messages(room, 1..=u64::MAX).await.unwrap()
}

/// All of a room's messages, which must have consecutive numbers and client ids of their own.
pub(crate) async fn checked_history(store: &dyn Store, room: ConversationId) -> Vec<Message> {
    let messages = history(store, room).await;
    let seqs: Vec<u64> = messages.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..=messages.len() as u64).collect::<Vec<_>>());
    let mut ids: Vec<&str> = messages.iter().map(|message| message.client_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), messages.len(), "each is there once");
    messages
}
