//! Stores that say that something is stored which is not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chat_core::MemoryStore;
use chat_core::proto::ConversationId;
use chat_core::store::{AppendOutcome, Head, MessageDraft, StoreError, StoreParts};
use chat_core::testing::store::snapshots;
use tokio::task::yield_now;

use crate::{assert_caught, lock, parts, promised};

/// Answers first. What was answered is stored a moment later, when the next batch comes, or never.
#[derive(Debug)]
struct AcknowledgesEarly {
    store: Arc<MemoryStore>,
    later: bool,
    waiting: Mutex<Vec<MessageDraft>>,
}

message_store! { AcknowledgesEarly: message messages changes heads visible_head;
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        self.store.append(waiting).await?;
        let answer = promised(&self.store, &drafts).await?;
        if self.later {
            *lock(&self.waiting) = drafts;
        }
        Ok(answer)
    }
}

#[tokio::test]
async fn a_store_that_answers_before_it_stores_is_caught() {
    for later in [true, false] {
        let lie = |store| AcknowledgesEarly { store, later, waiting: Mutex::default() };
        assert_caught(
            |store, parts| parts.messages = Arc::new(lie(store)),
            &["what_was_acknowledged_is_in_every_read", "a_message_comes_back_as_it_was_stored"],
        )
        .await;
    }
}

/// Loses the last message of a batch of several, and answers as if it had not.
#[derive(Debug)]
struct LosesOneOfABatch {
    store: Arc<MemoryStore>,
}

message_store! { LosesOneOfABatch: message messages changes heads visible_head;
    async fn append(&self, mut drafts: Vec<MessageDraft>)
        -> Result<Vec<AppendOutcome>, StoreError>
    {
        let lost = if drafts.len() > 1 { drafts.pop() } else { None };
        let mut outcomes = self.store.append(drafts).await?;
        outcomes.extend(promised(&self.store, lost.as_slice()).await?);
        Ok(outcomes)
    }
}

#[tokio::test]
async fn a_store_that_loses_one_of_a_batch_is_caught() {
    assert_caught(
        |store, parts| parts.messages = Arc::new(LosesOneOfABatch { store }),
        &["a_batch_is_numbered_in_its_order"],
    )
    .await;
}

/// Stores a batch message by message, and lets others look in between.
#[derive(Debug)]
struct StoresInPieces {
    store: Arc<MemoryStore>,
}

message_store! { StoresInPieces: message messages changes heads visible_head;
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let mut outcomes = Vec::new();
        for draft in drafts {
            outcomes.extend(self.store.append(vec![draft]).await?);
            yield_now().await;
        }
        Ok(outcomes)
    }
}

#[tokio::test]
async fn a_store_whose_batches_are_no_transactions_is_caught() {
    assert_caught(
        |store, parts| parts.messages = Arc::new(StoresInPieces { store }),
        &["history_read_while_it_grows_has_no_hole", "a_batch_that_fails_stores_nothing"],
    )
    .await;
}

/// Answers how far conversations are from what it remembers, and looks every third time only.
#[derive(Debug)]
struct RemembersHeads {
    store: Arc<MemoryStore>,
    /// What it has seen, and how often it may still say so.
    remembered: Mutex<HashMap<ConversationId, (Head, u8)>>,
}

message_store! { RemembersHeads: append message messages changes visible_head;
    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Head>, StoreError> {
        let mut heads = self.store.heads(conversations).await?;
        for head in &mut heads {
            let mut remembered = lock(&self.remembered);
            let (known, times) = remembered.entry(head.conversation_id).or_insert((*head, 3));
            if *times == 0 {
                (*known, *times) = (*head, 3);
            }
            *times -= 1;
            *head = *known;
        }
        Ok(heads)
    }
}

#[tokio::test]
async fn a_store_whose_heads_lag_is_caught() {
    let lie = |store| RemembersHeads { store, remembered: Mutex::default() };
    assert_caught(
        |store, parts| parts.messages = Arc::new(lie(store)),
        &["what_was_acknowledged_is_in_every_read", "heads_read_while_messages_come_are_true"],
    )
    .await;
}

/// Keeps how far conversations are until its own write is done, which others see before.
#[derive(Debug)]
struct KeepsHeads {
    store: Arc<MemoryStore>,
    kept: Mutex<HashMap<ConversationId, Head>>,
}

message_store! { KeepsHeads: message messages changes visible_head;
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let outcomes = self.store.append(drafts).await;
        for _ in 0..8 {
            yield_now().await;
        }
        lock(&self.kept).clear();
        outcomes
    }

    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Head>, StoreError> {
        let heads = self.store.heads(conversations).await?;
        let mut kept = lock(&self.kept);
        Ok(heads.into_iter().map(|head| *kept.entry(head.conversation_id).or_insert(head)).collect())
    }
}

/// A cache may do so, and passes the common case. What keeps nothing may not.
#[tokio::test]
async fn a_store_whose_heads_differ_by_how_they_are_asked_for_is_caught() {
    let lie = |store, parts: &mut StoreParts| {
        parts.messages = Arc::new(KeepsHeads { store, kept: Mutex::default() });
    };
    snapshots::heads_read_while_messages_come_are_true(&parts(lie)).await;
    let strict = async move {
        snapshots::heads_never_move_back_however_they_are_asked_for(&parts(lie)).await;
    };
    assert!(tokio::spawn(strict).await.is_err_and(|error| error.is_panic()));
}
