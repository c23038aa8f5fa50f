use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::error::ChatError;
use crate::store::{
    ConversationStore, CursorStore, InboxStore, MemberStore, MessageStore, Store, StoreError,
    UserStore,
};

/// Where the engine keeps each aggregate: mostly one store, but any aggregate may be wrapped or
/// replaced.
#[derive(Debug, Clone)]
pub(crate) struct Stores {
    pub(crate) users: Arc<dyn UserStore>,
    pub(crate) conversations: Arc<dyn ConversationStore>,
    pub(crate) members: Arc<dyn MemberStore>,
    pub(crate) messages: Arc<dyn MessageStore>,
    pub(crate) cursors: Arc<dyn CursorStore>,
    pub(crate) inbox: Arc<dyn InboxStore>,
}

impl From<Arc<dyn Store>> for Stores {
    fn from(store: Arc<dyn Store>) -> Self {
        Self {
            users: store.clone(),
            conversations: store.clone(),
            members: store.clone(),
            messages: store.clone(),
            cursors: store.clone(),
            inbox: store,
        }
    }
}

/// Waits for a store, but not for ever.
pub(crate) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, ChatError> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(ChatError::Timeout),
    }
}
