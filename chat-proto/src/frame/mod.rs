//! Frames: what travels over a connection, one JSON object to a text frame.

mod client;
mod command;
mod event;
mod fields;
mod server;

pub use client::{ClientFrame, DecodeError, FrameId};
pub use command::{
    BearerToken, Command, ConversationTarget, CreateRoom, HistoryRequest, MessageSend, PeerTarget,
};
pub use event::{ChangeEvent, Event, SignalEvent};
pub use fields::{WrongField, read_fields};
pub use server::{ErrorPayload, Ready, Reply, ServerFrame};

#[cfg(test)]
mod tests;
