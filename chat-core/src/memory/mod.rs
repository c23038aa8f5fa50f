//! A store and a presence store in memory: for tests, for examples, and for chat that may be
//! forgotten when the process ends.

mod account;
mod conversation;
mod cursor;
mod data;
mod inbox;
mod limits;
mod login;
mod member;
mod message;
mod presence;
mod probe;
mod user;
mod visit;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use self::data::Data;
pub use self::limits::MemoryLimits;
pub use self::presence::MemoryPresence;

/// The smallest complete store: everything in maps, gone when it is dropped.
///
/// It keeps every promise of [`store`](crate::store) but durability, so it is what an implementer
/// may compare a store with. Every call holds one lock for a moment, and memory grows with what is
/// stored: it is not meant for long lives. Engines in one process share it through an `Arc`.
#[derive(Default)]
pub struct MemoryStore {
    /// All there is. A call takes the lock once and checks everything before it changes anything,
    /// so each is a transaction, and the lock is never held across an await.
    data: Mutex<Data>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows how much is stored, and nothing of it.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = self.lock();
        f.debug_struct("MemoryStore")
            .field("users", &data.users.len())
            .field("conversations", &data.conversations.len())
            .field("messages", &data.messages.len())
            .finish_non_exhaustive()
    }
}

/// The time to the microsecond, which is what databases keep.
fn to_microsecond(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}
