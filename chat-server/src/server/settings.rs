use std::time::Duration;

/// What one connection may cost, whatever its requests are.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionSettings {
    /// How long a request's head may take: the first from when the connection is made, each other
    /// from its first byte.
    pub(super) header_timeout: Duration,
    /// The most bytes of a request's head; more is answered with 431.
    pub(super) header_bytes: usize,
    /// How long a client may take nothing of what is written to it.
    pub(super) write_timeout: Duration,
}
