#![doc = include_str!("../README.md")]

mod code;
mod frame;
mod id;
mod limits;
mod model;
mod operation;
mod page;
mod text;

pub use code::{CloseCode, ErrorCode};
pub use frame::{
    BearerToken, ChangeEvent, ClientFrame, Command, ConversationTarget, CreateRoom, DecodeError,
    ErrorPayload, Event, FrameId, HistoryRequest, MessageSend, PeerTarget, Ready, Reply,
    ServerFrame, SignalEvent, WrongField, read_fields,
};
pub use id::{
    ClientId, ConversationId, IdError, LoginSessionId, MessageId, NodeId, SessionId, UserId,
};
pub use limits::{Heartbeat, Limits};
pub use model::{
    Conversation, ConversationKind, ConversationSummary, Member, MemberProfile, MemberRole,
    MemberState, Message, MessagePreview, PresenceEntry, PresenceStatus, User, Visibility,
};
pub use operation::{Class, Operation};
pub use page::{Cursor, CursorError, HistoryMeta, HistoryPage, Page, PageMeta};
pub use text::{
    DisplayName, KEY_VERSION, MENTIONS_MAX, Mention, MessageBody, RoomName, TextError, Topic,
    Username, fold, mentioned,
};

/// The WebSocket subprotocol that this vocabulary describes (RFC 6455 §1.9).
pub const SUBPROTOCOL: &str = "chat.v1";
