use std::sync::Arc;

use super::forward::forward_store;
use super::{
    ConversationStore, CursorStore, InboxStore, MemberStore, MessageStore, ProbeStore, Store,
    UserStore, VisitStore,
};

/// A store put together from its aggregates, any of which may be a decorator, a mock, or another
/// store than the rest. Cloning it is cheap. The module `chat_core::testing::store` (feature
/// `testing`) shows how one aggregate of one's own is tested.
///
/// ```
/// use std::sync::Arc;
///
/// use chat_core::MemoryStore;
/// use chat_core::store::{Store, StoreParts};
///
/// let mut parts = StoreParts::from(Arc::new(MemoryStore::new()) as Arc<dyn Store>);
/// parts.users = Arc::new(MemoryStore::new());
/// let _store: Arc<dyn Store> = Arc::new(parts);
/// ```
#[derive(Debug, Clone)]
pub struct StoreParts {
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// Where conversations are kept.
    pub conversations: Arc<dyn ConversationStore>,
    /// Where memberships are kept.
    pub members: Arc<dyn MemberStore>,
    /// Where messages and changes are kept.
    pub messages: Arc<dyn MessageStore>,
    /// Where cursors are kept.
    pub cursors: Arc<dyn CursorStore>,
    /// Where conversations are listed as one member sees them.
    pub inbox: Arc<dyn InboxStore>,
    /// Where it is kept who is on which node.
    pub visits: Arc<dyn VisitStore>,
    /// What is asked whether the store works.
    pub probe: Arc<dyn ProbeStore>,
}

impl From<Arc<dyn Store>> for StoreParts {
    fn from(store: Arc<dyn Store>) -> Self {
        Self {
            users: store.clone(),
            conversations: store.clone(),
            members: store.clone(),
            messages: store.clone(),
            cursors: store.clone(),
            inbox: store.clone(),
            visits: store.clone(),
            probe: store,
        }
    }
}

macro_rules! ask {
    ($this:ident . $part:ident . $method:ident ( $($argument:expr),* ), $kind:ident) => {
        $this.$part.$method($($argument),*).await
    };
}

forward_store!(StoreParts, ask);
