//! People with devices, for tests: what they do and what they are told.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod line;
pub mod replica;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chat_core::auth::Identity;
use chat_core::proto::{CloseCode, ConversationId};
use chat_core::{Chat, ChatConfig, MemoryStore, Outgoing, Session};
use line::Line;
use serde_json::{Value, json};

/// How long anything may take. Tests wait for events, so only a failing one takes this long.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn chat() -> Chat {
    chat_with(ChatConfig::default())
}

pub fn chat_with(config: ChatConfig) -> Chat {
    Chat::builder(Arc::new(MemoryStore::new())).config(config).build()
}

/// A configuration without limits that tests would run into.
pub fn unlimited() -> ChatConfig {
    let mut config = ChatConfig::default();
    config.limits = config.limits.without_rates();
    config
}

/// Somebody's device.
#[derive(Debug)]
pub struct Device {
    pub session: Session,
    pub ready: Value,
    /// Frames that came while waiting for another.
    pub waiting: VecDeque<Value>,
    /// What is written past the session.
    line: Arc<Line>,
    next_id: u64,
}

impl Device {
    pub async fn attach(chat: &Chat, user: &str) -> Self {
        Self::attach_as(chat, &Identity::of(user.parse().unwrap())).await
    }

    pub async fn attach_as(chat: &Chat, identity: &Identity) -> Self {
        let mut session = chat.attach(identity).await.unwrap();
        let line = Arc::new(Line::default());
        session.write_directly(line.clone());
        let (ready, waiting) = (Value::Null, VecDeque::new());
        let mut device = Self { session, ready, waiting, line, next_id: 1 };
        device.ready = device.frame().await;
        assert_eq!(device.ready["type"], "session.ready");
        device.ready = device.ready["payload"].take();
        device
    }

    pub fn user(&self) -> String {
        self.session.user().id.to_string()
    }

    /// The next frame, whatever it is.
    pub async fn frame(&mut self) -> Value {
        loop {
            if let Some(frame) = self.waiting.pop_front() {
                return frame;
            }
            let line = Arc::clone(&self.line);
            let next = async {
                tokio::select! {
                    () = line.written() => Outgoing::Frames(Vec::new()),
                    outgoing = self.session.next() => outgoing,
                }
            };
            match tokio::time::timeout(PATIENCE, next).await.expect("a frame") {
                Outgoing::Frames(frames) => {
                    // What the session says is later than what was written until then.
                    let frames = self.line.take().into_iter().chain(frames);
                    self.waiting
                        .extend(frames.map(|f| serde_json::from_slice::<Value>(&f).unwrap()));
                }
                Outgoing::Close(code) => panic!("closed: {code:?}"),
            }
        }
    }

    /// The next frame for which `wanted` holds; those before it stay waiting.
    pub async fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut passed = VecDeque::new();
        loop {
            let frame = self.frame().await;
            if wanted(&frame) {
                passed.append(&mut self.waiting);
                self.waiting = passed;
                return frame;
            }
            passed.push_back(frame);
        }
    }

    /// The payload of the next event of a type.
    pub async fn event(&mut self, kind: &str) -> Value {
        self.wait_for(|frame| frame["type"] == kind).await["payload"].take()
    }

    /// Sends a command without waiting; returns its id.
    #[allow(clippy::needless_pass_by_value, reason = "so that a call can hold its json!")]
    pub fn begin(&mut self, kind: &str, payload: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.session.receive(&json!({"id": id, "type": kind, "payload": payload}).to_string());
        id
    }

    /// The answer to a command: its payload, or its error.
    pub async fn answer(&mut self, id: u64) -> Result<Value, Value> {
        let mut frame = self.wait_for(|frame| frame["id"] == id).await;
        let payload = frame["payload"].take();
        if frame["type"] == "reply" { Ok(payload) } else { Err(payload) }
    }

    pub async fn tries(&mut self, kind: &str, payload: Value) -> Result<Value, Value> {
        let id = self.begin(kind, payload);
        self.answer(id).await
    }

    pub async fn does(&mut self, kind: &str, payload: Value) -> Value {
        self.tries(kind, payload).await.unwrap_or_else(|error| panic!("{kind}: {error}"))
    }

    pub async fn opens(&mut self, user: &str) -> ConversationId {
        let reply = self.does("conversation.open", json!({"userId": user})).await;
        id_of(&reply["conversation"])
    }

    pub async fn creates(&mut self, name: &str) -> ConversationId {
        let reply = self.does("conversation.create", json!({"name": name})).await;
        id_of(&reply["conversation"])
    }

    pub async fn joins(&mut self, room: ConversationId) {
        self.does("conversation.join", json!({"conversationId": room})).await;
    }

    pub async fn sends(&mut self, place: ConversationId, text: &str) -> Value {
        let payload = json!({"conversationId": place, "content": text});
        self.does("message.send", payload).await["message"].take()
    }

    /// Waits for a message of this text.
    pub async fn sees(&mut self, text: &str) -> Value {
        self.wait_for(|frame| {
            frame["type"] == "message.created" && frame["payload"]["message"]["content"] == text
        })
        .await["payload"]
            .take()
    }

    /// Everything told until now. An answer may overtake what waits in the outbox, but not two in a
    /// row: so the second ping's answer comes behind all that waited for the first.
    pub async fn everything(&mut self) -> Vec<Value> {
        let mut frames = Vec::new();
        for _ in 0..2 {
            let id = self.begin("ping", json!({}));
            loop {
                let frame = self.frame().await;
                if frame["id"] == id {
                    break;
                }
                frames.push(frame);
            }
        }
        frames
    }

    /// Waits for the end of the connection.
    pub async fn closes(&mut self) -> CloseCode {
        let closing = async {
            loop {
                if let Outgoing::Close(code) = self.session.next().await {
                    return code;
                }
            }
        };
        tokio::time::timeout(PATIENCE, closing).await.expect("a close")
    }
}

pub fn id_of(summary: &Value) -> ConversationId {
    serde_json::from_value(summary["conversationId"].clone()).unwrap()
}
