//! The connection loop over a pipe in memory, with paused time: what RFC 6455 asks for, and what
//! a peer that breaks the limits gets.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod closing;
mod echo;
mod heartbeat;
mod limits;
mod peer;
#[path = "../../examples/echo/speaker.rs"]
mod speaker;
mod writing;
