//! The REST API as a client meets it: nested in a host's router, over the store in memory.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod auth;
mod body;
mod conversations;
mod csrf;
mod messages;
mod presence;
mod problems;
mod rights;
mod rooms;
mod sessions;
mod support;
mod users;
mod wire;
