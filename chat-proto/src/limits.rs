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
