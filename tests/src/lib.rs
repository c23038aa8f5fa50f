//! What tests that cross crates share: a record of what clients saw, and what must hold of it.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may"))]

pub mod history;
