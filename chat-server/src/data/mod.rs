//! The folder that holds what a server keeps.

mod database_file;
mod folder;
mod lock;
mod remains;
mod secret;

pub(crate) use database_file::DatabaseFile;
pub use folder::{DataError, DataFolder};
