//! The conformance suite notices what is wrong with a store: each of these stores breaks one
//! promise, and fails the cases that are there for it.
//!
//! A broken store is a store in memory of which one aggregate or a few lie, and which is honest in
//! all the rest. Where a lie needs others to come in between, it lets them, so that nothing here
//! depends on luck.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

#[macro_use]
mod forward;

mod acknowledgements;
mod conversations;
mod counts;
mod cursors;
mod lists;
mod members;
mod mentions;
mod moments;
mod numbers;
mod order;
mod repeats;
mod rights;
mod users;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use chat_core::MemoryStore;
use chat_core::proto::{ChangeEvent, ConversationId, Message, UserId};
use chat_core::store::{
    AppendOutcome, MemberStore, MessageDraft, MessageStore, Store, StoreError, StoreParts,
};
use chat_core::testing::store::{Failure, failures};

#[tokio::test]
async fn a_store_that_keeps_its_promises_fails_nothing() {
    assert_eq!(failures(async || Arc::new(MemoryStore::new())).await, []);
    let honest = failures(async || Arc::new(parts(|_, _| ()))).await;
    assert_eq!(honest, [], "nor does one put together from parts");
}

/// Asserts that the suite catches a store in which `lie` has replaced some parts, and that these
/// cases do.
async fn assert_caught(lie: impl Fn(Arc<MemoryStore>, &mut StoreParts), cases: &[&str]) {
    let failures = failures(async || Arc::new(parts(&lie))).await;
    assert!(!failures.is_empty(), "nothing was noticed");
    for case in cases {
        let caught = failures.iter().any(|failure| failure.case == *case);
        assert!(caught, "{case} did not notice it, but these did:\n{}", shown(&failures));
    }
    let stuck = failures.iter().find(|failure| failure.reason.contains("does not end"));
    assert_eq!(stuck, None, "it was to be noticed by what it says, not by a timeout");
}

fn parts(lie: impl Fn(Arc<MemoryStore>, &mut StoreParts)) -> StoreParts {
    let honest = Arc::new(MemoryStore::new());
    let mut parts = StoreParts::from(Arc::clone(&honest) as Arc<dyn Store>);
    lie(honest, &mut parts);
    parts
}

fn shown(failures: &[Failure]) -> String {
    failures.iter().map(|failure| format!("{failure}\n")).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// What an honest store would answer to drafts that repeat nothing and mention nobody.
async fn promised(
    store: &MemoryStore,
    drafts: &[MessageDraft],
) -> Result<Vec<AppendOutcome>, StoreError> {
    let mut taken: HashMap<ConversationId, u64> = HashMap::new();
    let mut outcomes = Vec::new();
    for draft in drafts.iter().cloned() {
        let head = store.visible_head(draft.conversation_id, &draft.sender_id).await?;
        let Some(head) = head else {
            outcomes.push(AppendOutcome::NotMember);
            continue;
        };
        let taken = taken.entry(draft.conversation_id).or_default();
        *taken += 1;
        outcomes.push(AppendOutcome::Stored(Message {
            id: draft.id,
            conversation_id: draft.conversation_id,
            seq: head.last_seq + *taken,
            change_seq: head.change_seq + *taken,
            sender_id: draft.sender_id,
            client_id: draft.client_id,
            content: draft.content,
            mentions: Vec::new(),
            created_at: draft.created_at,
        }));
    }
    Ok(outcomes)
}

/// The message that an outcome tells of, to be told wrongly.
fn told(outcome: &mut AppendOutcome) -> Option<&mut Message> {
    match outcome {
        AppendOutcome::Stored(message) | AppendOutcome::Repeated(message) => Some(message),
        AppendOutcome::NotMember => None,
    }
}

/// Stores a message of somebody who is not a member of a public room.
async fn store_anyway(
    store: &MemoryStore,
    draft: MessageDraft,
) -> Result<AppendOutcome, StoreError> {
    let (room, user) = (draft.conversation_id, draft.sender_id.clone());
    store.join(room, &user, draft.created_at, usize::MAX).await?;
    let outcome = store.append(vec![draft]).await?.remove(0);
    store.leave(room, &user, true).await?;
    Ok(outcome)
}

/// Whether somebody who is not a member was one.
async fn was_member(
    store: &MemoryStore,
    room: ConversationId,
    user: &UserId,
) -> Result<bool, StoreError> {
    let changes = store.changes(room, 0, usize::MAX).await?;
    Ok(changes.events.iter().any(
        |event| matches!(event, ChangeEvent::MemberLeft { member, .. } if member.user.id == *user),
    ))
}

/// Messages of others after a number, however many.
async fn unread(
    store: &MemoryStore,
    room: ConversationId,
    user: &UserId,
    seq: u64,
) -> Result<u64, StoreError> {
    let messages = store.messages(room, seq + 1..=u64::MAX).await?;
    Ok(messages.iter().filter(|message| message.sender_id != *user).count() as u64)
}
