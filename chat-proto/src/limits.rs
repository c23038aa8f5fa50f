//! The limits a server keeps to, as it publishes them in `session.ready`.

use serde::{Deserialize, Serialize};

/// What a client may send, in the server's current configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Limits {
    /// The most characters (Unicode scalar values) of a message's text. Default 4,000.
    pub text_characters: usize,
    /// The most bytes of one WebSocket message. Default 64 KiB.
    pub frame_bytes: usize,
    /// Items on a page when none are asked for. Default 50.
    pub page: usize,
    /// The most items on a page; asking for more is an error. Default 100.
    pub page_max: usize,
    /// Messages a user may send each second, over time. Default 10.
    pub messages_per_second: u32,
    /// Messages a user may send at once. Default 30.
    pub message_burst: u32,
    /// Conversations a user may open or create each minute. Default 10.
    pub conversations_per_minute: u32,
    /// Times a user may join or leave a room each minute, all of them at once. Default 120.
    pub membership_changes_per_minute: u32,
    /// What a user may look up each second, over time: pages, lists, searches. Default 50.
    pub reads_per_second: u32,
    /// What a user may look up at once. Default 500.
    pub read_burst: u32,
    /// Of a user's operations that ask the store, how many are carried out at a time; others of the
    /// same user wait. Sends do not count. Default 4.
    pub operations_at_once: usize,
    /// What a user may signal each second, over time: typing and receipts are 1 each, a change of
    /// presence is 50. Default 100.
    pub signals_per_second: u32,
    /// What a user may signal at once: two devices that come back may acknowledge 200 conversations each.
    /// Default 1,000.
    pub signal_burst: u32,
    /// The most conversations that one `session.resume` names. Default 1,000.
    pub resume_conversations: usize,
    /// Conversations that a user may resume each minute, all of them at once. Default 20,000.
    pub resume_conversations_per_minute: u32,
    /// Times a user's devices may connect each minute, all of them at once. Default 120.
    pub connects_per_minute: u32,
    /// Connections of one user at a time. Default 20.
    pub sessions_per_user: usize,
    /// Rooms a user may be a member of, and direct conversations the user may open, in all. Default
    /// 1,000.
    pub memberships_per_user: usize,
    /// How long until a client repeats `typing.start`, in milliseconds. Default 2,000.
    pub typing_resend_ms: u64,
    /// How long a user is shown as typing after the last `typing.start`. Default 3,000.
    pub typing_expiry_ms: u64,
    /// Members up to which a conversation's receipts are told one by one. Default 100.
    pub receipt_members: usize,
    /// Members up to which a conversation's members see each other's presence. Default 1,000.
    pub presence_members: usize,
    /// Missed changes of one conversation up to which a resume replays them. Default 1,000.
    pub resume_changes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_characters: 4_000,
            frame_bytes: 64 * 1024,
            page: 50,
            page_max: 100,
            messages_per_second: 10,
            message_burst: 30,
            conversations_per_minute: 10,
            membership_changes_per_minute: 120,
            reads_per_second: 50,
            read_burst: 500,
            operations_at_once: 4,
            signals_per_second: 100,
            signal_burst: 1_000,
            resume_conversations: 1_000,
            resume_conversations_per_minute: 20_000,
            connects_per_minute: 120,
            sessions_per_user: 20,
            memberships_per_user: 1_000,
            typing_resend_ms: 2_000,
            typing_expiry_ms: 3_000,
            receipt_members: 100,
            presence_members: 1_000,
            resume_changes: 1_000,
        }
    }
}

impl Limits {
    /// The same, without a limit on how often or how many at once: for programs that fill a store, and
    /// for tests and benchmarks.
    #[must_use]
    pub const fn without_rates(self) -> Self {
        Self {
            messages_per_second: 0,
            conversations_per_minute: 0,
            membership_changes_per_minute: 0,
            reads_per_second: 0,
            operations_at_once: 0,
            signals_per_second: 0,
            resume_conversations_per_minute: 0,
            connects_per_minute: 0,
            ..self
        }
    }
}

/// How a server finds dead connections (ping and pong frames, RFC 6455 §5.5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Heartbeat {
    /// Time between pings, in milliseconds. Default 25,000.
    pub ping_interval_ms: u64,
    /// Time after a ping until a connection that sent nothing counts as dead. Default 10,000.
    pub pong_timeout_ms: u64,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { ping_interval_ms: 25_000, pong_timeout_ms: 10_000 }
    }
}
