use std::error::Error;

/// Why a store could not do what it was asked, by what the caller can do about it.
///
/// Refusals that belong to the rules of chat, such as a taken name, are not errors: each method
/// returns them as an outcome of its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store does not answer now. The same call may succeed later.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The store has no room for more. Reads still work; an operator must make room.
    #[error("the store is full")]
    Full(#[source] Box<dyn Error + Send + Sync>),
    /// The call failed for a reason that another try will not cure: damaged data, a missing
    /// migration, or a fault of the implementation.
    #[error("the store failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// A failure that may pass.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }

    /// A failure that will not pass by itself.
    pub fn failed(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(source.into())
    }
}
