use std::time::Duration;

use chat_core::proto::CloseCode;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// Why this side ends a connection, as it tells the peer: the content of a close frame
/// (RFC 6455 §5.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    code: u16,
    reason: &'static str,
}

impl Closing {
    /// A message came that is of a kind nobody here can take (1003).
    pub const UNSUPPORTED: Self = Self::new(1003, "this endpoint takes text messages only");
    pub(super) const PROTOCOL: Self = Self::new(1002, "this is not the WebSocket protocol");
    pub(super) const NOT_UTF8: Self = Self::new(1007, "a text message must be UTF-8");
    pub(super) const ASSEMBLY: Self = Self::new(1008, "a message took too long to arrive");
    pub(super) const TOO_LARGE: Self = Self::new(1009, "the message is larger than allowed");
    pub(super) const TOO_MANY_FRAGMENTS: Self =
        Self::new(1009, "the message has more fragments than allowed");

    /// A code, as RFC 6455 §7.4 lists them or as a protocol defines its own in 4000–4999, and a
    /// text of at most 123 bytes for whoever debugs the client.
    #[must_use]
    pub const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }

    /// The code.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.code
    }

    /// The closing of a session (`From<CloseCode>`).
    const fn of(code: CloseCode) -> Self {
        Self::new(code.code(), code.reason())
    }

    pub(super) fn frame(self) -> CloseFrame {
        CloseFrame { code: self.code.into(), reason: Utf8Bytes::from_static(self.reason) }
    }
}

impl From<CloseCode> for Closing {
    fn from(code: CloseCode) -> Self {
        Self::of(code)
    }
}

/// The peer reads more slowly than it is written to.
pub(super) const SLOW: Closing = Closing::of(CloseCode::SlowReader);

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// The peer closed it, with this code if it gave one.
    ByPeer(Option<u16>),
    /// This side closed it. Whether the peer has read the code is not known.
    ByServer(Closing),
    /// It broke without a close frame.
    Lost,
}

/// How the loop of a connection came to its end: what remains to be said, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The peer has sent its close frame and waits for ours.
    Peer(Option<u16>),
    /// We close, and the codec still reads the peer's answer.
    Close(Closing),
    /// The peer broke the protocol or a limit: what it sends from now on makes no sense.
    Fault(Closing),
    /// The peer has not read for longer than the write timeout.
    Stuck,
    /// There is nobody to talk to.
    Lost,
}

/// How long a close frame may take to be written. It is worth little: a peer that does not read
/// would not see it anyway.
pub(super) const CLOSE_FRAME_PATIENCE: Duration = Duration::from_secs(1);
/// The same for a peer that reads, but too slowly: the end is news to it.
pub(super) const SLOW_CLOSE_PATIENCE: Duration = Duration::from_secs(5);
