//! A room to measure in.
//!
//! A crate of its own because it needs the engine only: what measures in it and nothing else need not wait
//! for databases and brokers to be compiled.

use std::sync::Arc;

use chat_core::auth::Identity;
use chat_core::proto::{ConversationId, CreateRoom, MessageSend};
use chat_core::store::Store;
use chat_core::{Actor, Chat, ChatConfig, Outgoing, Session};

/// A message of common length.
pub const TEXT: &str = "a message of common length, with a name in it and some punctuation: hello!";

/// A room with so many devices in it, each of a user of its own.
#[derive(Debug)]
pub struct Room {
    /// The engine.
    pub chat: Chat,
    /// Who sends.
    pub owner: Actor,
    /// Where.
    pub id: ConversationId,
    /// Who receives.
    pub devices: Vec<Session>,
}

impl Room {
    /// Makes it, without limits that a benchmark would run into.
    ///
    /// # Panics
    ///
    /// When the store fails.
    pub async fn with_devices(store: Arc<dyn Store>, count: usize) -> Self {
        let mut config = ChatConfig { resume_window_ms: 0, ..ChatConfig::default() };
        config.limits = config.limits.without_rates();
        let chat = Chat::builder(store).config(config).build();
        let owner = chat.admit(&claims("owner")).await.expect("a user");
        let owner = Actor::user(owner.id);
        let room: CreateRoom = serde_json::from_str(r#"{"name": "room"}"#).expect("a room");
        let id = chat.create_room(&owner, room).await.expect("a room").conversation_id;
        let target = serde_json::from_value(serde_json::json!({"conversationId": id}));
        let target = target.expect("a target");
        let mut devices = Vec::new();
        let users: Vec<_> = (0..count).map(|n| claims(&format!("user-{n}"))).collect();
        // All join before any device is there that would have to be told of it.
        for user in &users {
            chat.admit(user).await.expect("a user");
            chat.join_room(&Actor::user(user.id.clone()), &target).await.expect("a member");
        }
        for user in users {
            devices.push(chat.attach(&Identity::of(user.id)).await.expect("a session"));
        }
        let mut room = Self { chat, owner, id, devices };
        room.send().await;
        room.drain(1).await;
        room
    }

    /// Sends one message.
    ///
    /// # Panics
    ///
    /// When it is not stored.
    pub async fn send(&self) {
        let message =
            MessageSend { conversation_id: self.id, client_id: None, content: TEXT.into() };
        self.chat.send(&self.owner, message).await.expect("stored");
    }

    /// Takes what comes to every device, until each has had so many messages.
    ///
    /// # Panics
    ///
    /// When a connection ends.
    pub async fn drain(&mut self, messages: usize) {
        for device in &mut self.devices {
            take(device, messages).await;
        }
    }
}

/// Takes what comes to a device, until it has had so many messages.
///
/// # Panics
///
/// When the connection ends.
pub async fn take(device: &mut Session, messages: usize) {
    let mut seen = 0;
    while seen < messages {
        let Outgoing::Frames(frames) = device.next().await else { panic!("closed") };
        let is_message = |frame: &[u8]| frame.starts_with(br#"{"type":"message.created""#);
        seen += frames.iter().filter(|frame| is_message(frame)).count();
    }
}

fn claims(user: &str) -> chat_core::auth::UserClaims {
    chat_core::auth::UserClaims::of(user.parse().expect("a user id"))
}
