//! A client that keeps a copy of its conversations by the rules of the protocol, and insists on
//! them: it fails on a change out of order, on a message told twice, and on a gap.

use std::collections::{BTreeMap, HashMap};

use chat_core::proto::ConversationId;
use chat_core::store::Store;
use chat_core::{Chat, MemoryStore};
use serde_json::{Value, json};

use super::Device;

/// A user's copy.
#[derive(Debug)]
pub struct Replica {
    pub user: String,
    /// The connection, while there is one.
    pub device: Option<Device>,
    pub places: HashMap<ConversationId, Copy>,
}

/// A copy of one conversation.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Copy {
    /// The last change known.
    pub change_seq: u64,
    pub messages: BTreeMap<u64, String>,
    /// Who joined or left, as far as it was told.
    pub members: BTreeMap<String, bool>,
}

impl Replica {
    pub fn new(user: &str) -> Self {
        Self { user: user.into(), device: None, places: HashMap::new() }
    }

    pub fn disconnect(&mut self) {
        self.device = None;
    }

    /// Connects to a node, and catches up with what was missed.
    pub async fn connect(&mut self, node: &Chat) {
        self.disconnect();
        let mut device = Device::attach(node, &self.user).await;
        for summary in device.ready["conversations"].as_array().unwrap() {
            // A conversation that is new to the client is told from its beginning.
            self.places.entry(super::id_of(summary)).or_default();
        }
        let cursors: HashMap<_, _> =
            self.places.iter().map(|(id, copy)| (id.to_string(), copy.change_seq)).collect();
        let id = device.begin("session.resume", json!({"cursors": cursors}));
        let reply = loop {
            let frame = device.frame().await;
            if frame["id"] == id {
                break frame;
            }
            self.apply(&frame);
        };
        assert_eq!(reply["type"], "reply", "{reply}");
        for reset in reply["payload"]["reset"].as_array().unwrap() {
            self.places.remove(&reset.as_str().unwrap().parse().unwrap());
        }
        self.device = Some(device);
    }

    /// Takes in everything that has come.
    pub async fn catch_up(&mut self) {
        if let Some(device) = &mut self.device {
            for frame in device.everything().await {
                self.apply(&frame);
            }
        }
    }

    /// Takes in what comes until the copy of a conversation has reached a change.
    pub async fn reaches(&mut self, place: ConversationId, change_seq: u64) {
        while self.places.get(&place).is_none_or(|copy| copy.change_seq < change_seq) {
            let frame = self.device.as_mut().expect("connected").frame().await;
            self.apply(&frame);
        }
    }

    /// Takes in what comes until the user is told of no longer being a member.
    pub async fn forgets(&mut self, place: ConversationId) {
        while self.places.contains_key(&place) {
            let frame = self.device.as_mut().expect("connected").frame().await;
            self.apply(&frame);
        }
    }

    pub fn apply(&mut self, frame: &Value) {
        let payload = &frame["payload"];
        let place = || -> ConversationId {
            serde_json::from_value(payload["conversationId"].clone()).unwrap()
        };
        match frame["type"].as_str().unwrap() {
            "conversation.created" => {
                let summary = &payload["conversation"];
                let change_seq = summary["changeSeq"].as_u64().unwrap();
                let copy = Copy { change_seq, ..Copy::default() };
                self.places.insert(super::id_of(summary), copy);
            }
            "message.created" => {
                let copy = self.places.get_mut(&place()).expect("a conversation it knows");
                copy.advance(payload);
                let message = &payload["message"];
                let seq = message["seq"].as_u64().unwrap();
                if let Some((last, _)) = copy.messages.last_key_value() {
                    assert_eq!(seq, last + 1, "{}: messages have no gap", self.user);
                }
                copy.messages.insert(seq, message["content"].as_str().unwrap().into());
            }
            kind @ ("member.joined" | "member.left") => {
                let place = place();
                let Some(copy) = self.places.get_mut(&place) else {
                    // Left in the moment of joining, before the conversation appeared.
                    assert_eq!(
                        (kind, &payload["member"]["userId"]),
                        ("member.left", &json!(self.user))
                    );
                    return;
                };
                copy.advance(payload);
                let member = payload["member"]["userId"].as_str().unwrap().to_owned();
                let (own, joined) = (member == self.user, kind == "member.joined");
                copy.members.insert(member, joined);
                if own && !joined {
                    self.places.remove(&place);
                }
            }
            _ => {}
        }
    }

    /// Asserts that every copy is what the store has.
    pub async fn equals(&self, store: &MemoryStore) {
        for (place, copy) in &self.places {
            let (user, stored) = (&self.user, whole(store, *place).await);
            assert_eq!(copy.change_seq, stored.change_seq, "{user} is up to date");
            let first = copy.messages.keys().next().copied().unwrap_or(u64::MAX);
            let mut expected = stored.messages;
            if copy.members.contains_key(user) {
                // Since the user joined, everything.
                let messages = expected.split_off(&first);
                assert_eq!(copy.messages, messages, "{user} has every message");
            }
            for (member, joined) in &copy.members {
                assert_eq!(stored.members[member], *joined, "{user} knows of {member}");
            }
        }
    }
}

impl Copy {
    fn advance(&mut self, payload: &Value) {
        let change_seq = payload["changeSeq"].as_u64().unwrap();
        assert!(change_seq > self.change_seq, "told twice or out of order: {payload}");
        self.change_seq = change_seq;
    }
}

/// All that a store has of a conversation.
pub async fn whole(store: &dyn Store, place: ConversationId) -> Copy {
    use chat_core::proto::ChangeEvent;
    let changes = store.changes(place, 0, usize::MAX).await.unwrap();
    let mut copy = Copy { change_seq: changes.through, ..Copy::default() };
    for event in changes.events {
        match event {
            ChangeEvent::MessageCreated { message, .. } => {
                copy.messages.insert(message.seq, message.content.as_str().into());
            }
            ChangeEvent::MemberJoined { member, .. }
            | ChangeEvent::MemberUpdated { member, .. } => {
                copy.members.insert(member.user.id.to_string(), true);
            }
            ChangeEvent::MemberLeft { member, .. } => {
                copy.members.insert(member.user.id.to_string(), false);
            }
            _ => {}
        }
    }
    copy
}
