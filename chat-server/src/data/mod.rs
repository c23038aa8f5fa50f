//! The folder that holds what a server keeps.

mod folder;
mod secret;

pub use folder::{DataError, DataFolder};
