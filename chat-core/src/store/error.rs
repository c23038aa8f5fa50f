use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

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
    /// The store has not answered lately and is not asked for a while: nothing was tried.
    #[error("the store is not available: it is asked again in {} ms", retry_after.as_millis())]
    CircuitOpen {
        /// When the same call may succeed.
        retry_after: Duration,
    },
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

    /// Whether the store did not answer, rather than answer that it cannot.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::CircuitOpen { .. })
    }

    /// A failure that will not pass by itself.
    pub fn failed(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(source.into())
    }
}

impl StoreError {
    /// The same failure as often as there are callers to be told.
    pub(crate) fn for_several(self) -> impl Iterator<Item = Self> {
        let shared = |source| {
            let source: Arc<dyn Error + Send + Sync> = Arc::from(source);
            move || Box::new(Shared(Arc::clone(&source)))
        };
        let again: Box<dyn Fn() -> Self + Send> = match self {
            Self::Unavailable(source) => {
                let source = shared(source);
                Box::new(move || Self::Unavailable(source()))
            }
            Self::CircuitOpen { retry_after } => {
                Box::new(move || Self::CircuitOpen { retry_after })
            }
            Self::Full(source) => {
                let source = shared(source);
                Box::new(move || Self::Full(source()))
            }
            Self::Failed(source) => {
                let source = shared(source);
                Box::new(move || Self::Failed(source()))
            }
        };
        std::iter::repeat_with(again)
    }
}

/// A cause that several errors have.
#[derive(Debug)]
struct Shared(Arc<dyn Error + Send + Sync>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
