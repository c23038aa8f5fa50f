use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use chat_core::broker::{BrokerMessage, Subject};
use foldhash::{HashMap, HashMapExt};
use redis::Value;

use super::inbox::Inbox;
use super::probes::Probes;
use super::slot::Slot;
use super::tag::Tag;

/// What this node wants to hear, and where that goes. It outlives all connections: each begins by
/// subscribing to its part of it.
pub(super) struct Wanted {
    tag: Tag,
    pub(super) inbox: Inbox,
    pub(super) probes: Probes,
    /// Channels of subjects. Held for one lookup or a few changes.
    channels: Mutex<HashMap<String, Subject>>,
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted").field("channels", &self.lock().len()).finish_non_exhaustive()
    }
}

impl Wanted {
    pub(super) fn new(tag: Tag, inbox: Inbox, probes: Probes) -> Self {
        Self { tag, inbox, probes, channels: Mutex::new(HashMap::new()) }
    }

    pub(super) fn add(&self, channel: String, subject: Subject) {
        self.lock().insert(channel, subject);
    }

    pub(super) fn remove(&self, channel: &str) {
        self.lock().remove(channel);
    }

    pub(super) fn contains(&self, channel: &str) -> bool {
        channel == self.probes.channel() || self.lock().contains_key(channel)
    }

    /// All channels of some slots.
    pub(super) fn channels(&self, is_meant: impl Fn(Slot) -> bool) -> Vec<String> {
        let mut channels: Vec<_> = self.lock().keys().cloned().collect();
        channels.push(self.probes.channel().to_owned());
        channels.retain(|channel| is_meant(Slot::of(channel)));
        channels
    }

    /// Passes on what has come: channel and payload. What this node has said itself, and what came
    /// before a subscription ended, goes nowhere.
    pub(super) fn hear(&self, said: Vec<Value>) {
        let Ok([Value::BulkString(channel), Value::BulkString(payload)]) =
            <[Value; 2]>::try_from(said)
        else {
            return;
        };
        let Ok(channel) = std::str::from_utf8(&channel) else { return };
        let own = self.tag.of_own(&payload);
        if channel == self.probes.channel() {
            own.into_iter().for_each(|probe| self.probes.came_back(probe));
        } else if own.is_none()
            && let Some(subject) = self.lock().get(channel).cloned()
            && let Some(payload) = Tag::strip(Bytes::from(payload))
        {
            self.inbox.offer(BrokerMessage { subject, payload });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Subject>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
