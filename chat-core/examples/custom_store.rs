//! A store of one's own, for one aggregate: messages are counted on their way to the store below.
//!
//! The same shape serves for a cache, for an audit log, or for a host that keeps messages where it
//! keeps everything else. A whole store implements all of `chat_core::store`, and one line of its
//! tests, `chat_core::testing::store_conformance!(maker)`, says whether it keeps the promises. For one
//! aggregate the same line takes a `StoreParts` of it and another store; `chat_core::testing::store`
//! shows it.
//!
//! `cargo run -p chat-core --example custom_store`

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chat_core::auth::UserClaims;
use chat_core::proto::{ConversationId, Message, MessageId, MessageSend, PeerTarget, UserId};
use chat_core::store::{AppendOutcome, Changes, Head, MessageDraft, MessageStore, StoreError};
use chat_core::{Actor, Chat, MemoryStore};

/// Counts what is stored.
#[derive(Debug)]
struct Counted<S> {
    inner: Arc<S>,
    stored: AtomicUsize,
}

#[async_trait]
impl<S: MessageStore> MessageStore for Counted<S> {
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let outcomes = self.inner.append(drafts).await?;
        let stored = outcomes.iter().filter(|o| matches!(o, AppendOutcome::Stored(_))).count();
        self.stored.fetch_add(stored, Ordering::Relaxed);
        Ok(outcomes)
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.inner.message(id).await
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        seqs: RangeInclusive<u64>,
    ) -> Result<Vec<Message>, StoreError> {
        self.inner.messages(conversation, seqs).await
    }

    async fn changes(
        &self,
        conversation: ConversationId,
        since: u64,
        limit: usize,
    ) -> Result<Changes, StoreError> {
        self.inner.changes(conversation, since, limit).await
    }

    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Head>, StoreError> {
        self.inner.heads(conversations).await
    }

    async fn visible_head(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<Head>, StoreError> {
        self.inner.visible_head(conversation, user).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Arc::new(MemoryStore::new());
    let counted = Arc::new(Counted { inner: Arc::clone(&store), stored: AtomicUsize::new(0) });
    let chat = Chat::builder(store).messages(counted.clone()).build();

    let ada = chat.admit(&UserClaims::of("ada".parse()?)).await?;
    chat.admit(&UserClaims::of("bo".parse()?)).await?;
    let actor = Actor::user(ada.id);
    let peer = PeerTarget { user_id: None, username: Some("bo".into()) };
    let place = chat.open_direct(&actor, &peer).await?.conversation_id;
    for _ in 0..3 {
        // The same client id: one message, however often it is sent.
        let message = MessageSend {
            conversation_id: place,
            client_id: Some("greeting".parse()?),
            content: "hello".into(),
        };
        chat.send(&actor, message).await?;
    }
    println!("sent three times, stored {}", counted.stored.load(Ordering::Relaxed));
    chat.shutdown().await;
    Ok(())
}
