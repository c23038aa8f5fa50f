use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::store::forward::forward_store;
use crate::store::{Store, StoreError, StoreParts};

/// A call of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The method's name.
    pub method: &'static str,
    /// Whether it may change something.
    pub writes: bool,
}

/// Somebody who is there at every call of a [`WatchedStore`]: counts calls, holds them up in the
/// middle, refuses them, or looks at what they left behind.
#[async_trait]
pub trait Watch: Debug + Send + Sync + 'static {
    /// A call is about to reach the store. An error is its answer: the store is not asked.
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        let _ = call;
        Ok(())
    }

    /// The store has answered a call, and the caller does not know yet.
    async fn after(&self, call: Call) {
        let _ = call;
    }
}

/// A store under observation.
#[derive(Debug)]
pub struct WatchedStore {
    store: StoreParts,
    watch: Arc<dyn Watch>,
}

impl WatchedStore {
    /// Puts a store under observation.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, watch: Arc<dyn Watch>) -> Self {
        Self { store: store.into(), watch }
    }
}

macro_rules! watch {
    ($this:ident . $part:ident . $method:ident ( $($argument:expr),* ), $kind:ident) => {{
        let call = Call { method: stringify!($method), writes: matches!(stringify!($kind), "write") };
        $this.watch.before(call).await?;
        let answer = $this.store.$part.$method($($argument),*).await;
        $this.watch.after(call).await;
        answer
    }};
}

forward_store!(WatchedStore, watch);
