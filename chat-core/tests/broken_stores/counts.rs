//! Stores that count wrongly what is unread.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_core::MemoryStore;
use chat_core::proto::{ConversationId, ConversationSummary, UserId};
use chat_core::store::{
    AppendOutcome, CursorAdvance, CursorKind, CursorStore, MemberStore, MessageDraft, StoreError,
};

use crate::{assert_caught, lock, unread};

/// Takes the difference of two numbers for what is unread, and so counts the user's own messages.
#[derive(Debug)]
struct CountsOwnMessages {
    store: Arc<MemoryStore>,
}

inbox_store! { CountsOwnMessages: summaries unread_total overviews missed;
    async fn summary(&self, user: &UserId, room: ConversationId)
        -> Result<Option<ConversationSummary>, StoreError>
    {
        let summary = self.store.summary(user, room).await?;
        Ok(summary.map(|summary| ConversationSummary {
            unread: (summary.last_seq - summary.read_seq).min(100),
            ..summary
        }))
    }
}

#[tokio::test]
async fn a_store_that_counts_own_messages_is_caught() {
    assert_caught(
        |store, parts| parts.inbox = Arc::new(CountsOwnMessages { store }),
        &["own_messages_are_never_unread"],
    )
    .await;
}

/// Counts all that is unread, however much it is.
#[derive(Debug)]
struct CountsForEver {
    store: Arc<MemoryStore>,
}

inbox_store! { CountsForEver: summaries unread_total overviews missed;
    async fn summary(&self, user: &UserId, room: ConversationId)
        -> Result<Option<ConversationSummary>, StoreError>
    {
        let Some(mut summary) = self.store.summary(user, room).await? else { return Ok(None) };
        summary.unread = unread(&self.store, room, user, summary.read_seq).await?;
        Ok(Some(summary))
    }
}

#[tokio::test]
async fn a_store_that_counts_without_a_limit_is_caught() {
    assert_caught(
        |store, parts| parts.inbox = Arc::new(CountsForEver { store }),
        &["counts_stop_at_a_hundred"],
    )
    .await;
}

/// Keeps a counter for each member: one more with each message of others, and none after reading.
#[derive(Debug, Clone)]
struct Increments {
    store: Arc<MemoryStore>,
    counters: Arc<Mutex<HashMap<(ConversationId, UserId), u64>>>,
}

message_store! { Increments: message messages changes heads visible_head;
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let outcomes = self.store.append(drafts).await?;
        for outcome in &outcomes {
            let AppendOutcome::Stored(message) = outcome else { continue };
            let room = message.conversation_id;
            for member in self.store.members(room, None, usize::MAX).await? {
                if member.user.id != message.sender_id {
                    *lock(&self.counters).entry((room, member.user.id)).or_default() += 1;
                }
            }
        }
        Ok(outcomes)
    }
}

#[async_trait]
impl CursorStore for Increments {
    async fn advance(
        &self,
        room: ConversationId,
        user: &UserId,
        kind: CursorKind,
        seq: Option<u64>,
    ) -> Result<Option<CursorAdvance>, StoreError> {
        if kind == CursorKind::Read {
            lock(&self.counters).remove(&(room, user.clone()));
        }
        self.store.advance(room, user, kind, seq).await
    }
}

inbox_store! { Increments: summaries unread_total overviews missed;
    async fn summary(&self, user: &UserId, room: ConversationId)
        -> Result<Option<ConversationSummary>, StoreError>
    {
        let Some(mut summary) = self.store.summary(user, room).await? else { return Ok(None) };
        let counted = lock(&self.counters).get(&(room, user.clone())).copied();
        summary.unread = counted.unwrap_or_default().min(100);
        Ok(Some(summary))
    }
}

#[tokio::test]
async fn a_store_that_counts_by_increments_is_caught() {
    assert_caught(
        |store, parts| {
            let lie = Arc::new(Increments { store, counters: Arc::default() });
            (parts.messages, parts.cursors, parts.inbox) = (lie.clone(), lie.clone(), lie);
        },
        &["a_cursor_moves_forward_only"],
    )
    .await;
}

/// Has a new member's cursors stand at the beginning until they are moved.
#[derive(Debug)]
struct CountsFromTheBeginning {
    store: Arc<MemoryStore>,
    moved: Mutex<HashSet<(ConversationId, UserId)>>,
}

#[async_trait]
impl CursorStore for CountsFromTheBeginning {
    async fn advance(
        &self,
        room: ConversationId,
        user: &UserId,
        kind: CursorKind,
        seq: Option<u64>,
    ) -> Result<Option<CursorAdvance>, StoreError> {
        lock(&self.moved).insert((room, user.clone()));
        self.store.advance(room, user, kind, seq).await
    }
}

inbox_store! { CountsFromTheBeginning: summaries unread_total overviews missed;
    async fn summary(&self, user: &UserId, room: ConversationId)
        -> Result<Option<ConversationSummary>, StoreError>
    {
        let Some(mut summary) = self.store.summary(user, room).await? else { return Ok(None) };
        if !lock(&self.moved).contains(&(room, user.clone())) {
            (summary.read_seq, summary.delivered_seq) = (0, 0);
            summary.unread = unread(&self.store, room, user, 0).await?.min(100);
        }
        Ok(Some(summary))
    }
}

#[tokio::test]
async fn a_store_in_which_all_is_unread_after_a_join_is_caught() {
    assert_caught(
        |store, parts| {
            let lie = Arc::new(CountsFromTheBeginning { store, moved: Mutex::default() });
            (parts.cursors, parts.inbox) = (lie.clone(), lie);
        },
        &[
            "a_join_passes_over_what_was_said_before",
            "a_join_among_messages_passes_over_those_before_it",
        ],
    )
    .await;
}
