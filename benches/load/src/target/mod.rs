//! What is measured: each a process of its own, on a processor of its own.

mod bare;
mod embedding;
mod running;
mod settings;
mod stage;
mod statements;
mod template;

use serde::{Deserialize, Serialize};

pub(crate) use embedding::Serve;
pub(crate) use running::Running;
pub(crate) use settings::Settings;
pub(crate) use stage::{Lengths, Stage};
pub(crate) use template::Template;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    /// The binary `chat-server` on SQLite.
    Server,
    /// The engine and its WebSockets on a store in memory.
    Memory,
    /// The same on SQLite.
    Sqlite,
    /// The same on SQLite, with every message in a transaction of its own.
    OneByOne,
    /// The same on SQLite, and it counts its statements, which takes time of its own.
    Counted,
    /// A server of pages that does nothing but ask the database for them.
    Bare,
    /// The limit that writes every delivery by itself.
    Raw,
    /// The limit that joins what has come.
    Batching,
    /// No process: the disk alone.
    Disk,
}

impl Target {
    /// Whether its database is made before it starts.
    pub(crate) const fn has_database(self) -> bool {
        !matches!(self, Self::Memory | Self::Raw | Self::Batching | Self::Disk)
    }

    /// Whether it is one of the limits.
    pub(crate) const fn is_limit(self) -> bool {
        matches!(self, Self::Raw | Self::Batching)
    }
}
