#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may"))]

mod sqlite;

pub use sqlite::{OpenError, SqliteStore};
