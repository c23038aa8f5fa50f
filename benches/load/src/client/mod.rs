//! The generator of load: a WebSocket client that costs less per frame than any server does.
//!
//! One thread, one poll, one read buffer for all connections. Frames that go out are built once;
//! of frames that come in, the header and the first bytes are looked at, and the rest only when a
//! scenario asks for it.

mod connection;
mod fleet;
mod frame;
mod handshake;
mod http;
mod parser;
mod rest;

pub(crate) use fleet::{Arrival, Fleet, Happening, Request, Visit};
pub(crate) use frame::{header, masked_text};
pub(crate) use parser::{Kind, Parser};
pub(crate) use rest::Rest;
