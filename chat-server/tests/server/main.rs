//! The server from outside: through its sockets, its files and its binary.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod binary;
mod cluster;
mod connections;
mod data;
mod documented_keys;
mod no_secret_is_logged;
mod paths;
mod start_and_stop;
mod support;
mod tokens;
