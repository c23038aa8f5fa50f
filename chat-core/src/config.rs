use std::time::Duration;

use chat_proto::{Heartbeat, Limits};
use serde::{Deserialize, Serialize};

/// Whose presence a user sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PresenceScope {
    /// That of everyone: for a forum or a team.
    Everyone,
    /// That of users with whom the user shares a conversation.
    #[default]
    Shared,
}

/// How an engine behaves. Every field has a default that suits most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChatConfig {
    /// What clients may send; published in `session.ready`.
    pub limits: Limits,
    /// How transports find dead connections; published in `session.ready`.
    pub heartbeat: Heartbeat,
    /// Whose presence a user sees. Default: of those who share a conversation.
    pub presence_scope: PresenceScope,
    /// Whether joining a public room by a name that none has makes one. Default: no.
    pub create_rooms_on_join: bool,
    /// How long a user without a session still counts as online, so that a reload shows no
    /// flicker, in milliseconds. Default 15,000.
    pub presence_grace_ms: u64,
    /// How long after a node's last sign of life its users count as online, in milliseconds.
    /// Default 20,000.
    pub presence_lease_ms: u64,
    /// How long a call of the store or the broker may take, in milliseconds. Default 5,000.
    pub call_timeout_ms: u64,
    /// How often a node compares what it has delivered with the store, to find what a lossy broker
    /// lost last, in milliseconds. Default 10,000.
    pub reconcile_interval_ms: u64,
    /// How long a gap in the changes of a conversation may be filled by a late message before it
    /// is read from the store, in milliseconds. Default 20.
    pub gap_patience_ms: u64,
    /// How long after `session.ready` live events are held back, so that a client that resumes at
    /// once is told first what it missed, in milliseconds. Any command ends it. Default 250.
    pub resume_window_ms: u64,
}

impl Default for ChatConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            heartbeat: Heartbeat::default(),
            presence_scope: PresenceScope::default(),
            create_rooms_on_join: false,
            presence_grace_ms: 15_000,
            presence_lease_ms: 20_000,
            call_timeout_ms: 5_000,
            reconcile_interval_ms: 10_000,
            gap_patience_ms: 20,
            resume_window_ms: 250,
        }
    }
}

impl ChatConfig {
    pub(crate) const fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.call_timeout_ms)
    }

    pub(crate) const fn presence_grace(&self) -> Duration {
        Duration::from_millis(self.presence_grace_ms)
    }

    pub(crate) const fn presence_lease(&self) -> Duration {
        Duration::from_millis(self.presence_lease_ms)
    }
}
