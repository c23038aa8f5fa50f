//! An endpoint over real sockets: an HTTP server on the loopback, an engine in memory behind it,
//! and clients that connect as browsers and programs do.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod authentication;
mod chatting;
mod client;
mod direct;
mod ending;
mod handshake;
mod limits;
mod server;
mod slow_reader;
mod talk;
