//! A cluster that meets at NATS does what the engine relies on, with real servers.

#![cfg(feature = "nats")]
#![allow(clippy::unwrap_used, reason = "tests may")]

mod alternating;
mod broker;
mod connecting;
mod faults;
mod limits;
mod presence;
mod support;
