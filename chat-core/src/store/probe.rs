use async_trait::async_trait;

use super::{Aggregate, StoreError};

/// Whether a store does what it is there for.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait ProbeStore: Aggregate {
    /// Writes a mark, as durably as everything else, and reads it back; and reads from where people
    /// read: a mark of its own may be whole while everything else is damaged.
    ///
    /// Success means that the store takes writes and answers reads at this moment. Callers that
    /// probe at once may overwrite each other's marks; each is answered for the store, not for its
    /// mark.
    async fn probe(&self) -> Result<(), StoreError>;
}
