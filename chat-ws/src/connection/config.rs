use std::time::Duration;

use chat_core::ChatConfig;
use chat_core::proto::{Heartbeat, Limits};

/// What one connection may cost, and how long it may take over things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// The most bytes of an incoming message, all fragments together. Default 64 KiB.
    ///
    /// A connection holds a whole message before it is handled, so this times the connections is
    /// what clients can make a server keep.
    pub message_bytes: usize,
    /// The most fragments of an incoming message. Default 64.
    pub fragments: u32,
    /// How long a message may take from its first byte to its last. Default 10 s.
    pub assembly_timeout: Duration,
    /// Frames a client may send each second over time, of every kind, ping and pong included.
    /// Above it the socket is read more slowly; nothing is lost. Default 100.
    pub frames_per_second: u32,
    /// Frames a client may send at once. Default 200.
    pub frame_burst: u32,
    /// When to ping, and how long to wait for a sign of life. Default 25 s and 10 s.
    pub heartbeat: Heartbeat,
    /// How long a client may take to read 32 KiB, before the connection is dropped. Default 10 s.
    pub write_timeout: Duration,
    /// How long to wait for the client's answer to a close frame. Default 2 s.
    pub close_timeout: Duration,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            message_bytes: Limits::default().frame_bytes,
            fragments: 64,
            assembly_timeout: Duration::from_secs(10),
            frames_per_second: 100,
            frame_burst: 200,
            heartbeat: Heartbeat::default(),
            write_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
        }
    }
}

impl ConnectionConfig {
    /// The same, with the limits that an engine publishes in `session.ready`.
    #[must_use]
    pub const fn with_limits_of(mut self, chat: &ChatConfig) -> Self {
        self.message_bytes = chat.limits.frame_bytes;
        self.heartbeat = chat.heartbeat;
        self
    }
}
