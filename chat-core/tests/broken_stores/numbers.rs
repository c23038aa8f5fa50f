//! Stores whose numbers are not what they should be.

use std::collections::{BTreeSet, HashSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use chat_core::MemoryStore;
use chat_core::proto::{ChangeEvent, ClientId, ConversationId, Message, MessageId, UserId};
use chat_core::store::{
    AppendOutcome, Changes, JoinOutcome, MemberStore, MessageDraft, StoreError,
};
use jiff::Timestamp;
use tokio::task::yield_now;

use crate::{assert_caught, lock, told};

/// Takes a number for a draft before it refuses it, which leaves a hole.
#[derive(Debug)]
struct LeavesHoles {
    store: Arc<MemoryStore>,
    /// Messages that fill the holes, so that all the rest is as it would be, and are never shown.
    fillers: Mutex<HashSet<MessageId>>,
}

message_store! { LeavesHoles: heads visible_head;
    async fn append(&self, mut drafts: Vec<MessageDraft>)
        -> Result<Vec<AppendOutcome>, StoreError>
    {
        for draft in &mut drafts {
            let room = draft.conversation_id;
            if self.store.member(room, &draft.sender_id).await?.is_none()
                && let Some(member) = self.store.members(room, None, 1).await?.pop()
            {
                (draft.sender_id, draft.client_id) = (member.user.id, ClientId::generate());
                draft.id = MessageId::generate();
                lock(&self.fillers).insert(draft.id);
            }
        }
        let mut outcomes = self.store.append(drafts).await?;
        for outcome in &mut outcomes {
            if told(outcome).is_some_and(|message| lock(&self.fillers).contains(&message.id)) {
                *outcome = AppendOutcome::NotMember;
            }
        }
        Ok(outcomes)
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        if lock(&self.fillers).contains(&id) { Ok(None) } else { self.store.message(id).await }
    }

    async fn messages(&self, room: ConversationId, seqs: RangeInclusive<u64>)
        -> Result<Vec<Message>, StoreError>
    {
        let mut messages = self.store.messages(room, seqs).await?;
        messages.retain(|message| !lock(&self.fillers).contains(&message.id));
        Ok(messages)
    }

    async fn changes(&self, room: ConversationId, since: u64, limit: usize)
        -> Result<Changes, StoreError>
    {
        let mut changes = self.store.changes(room, since, limit).await?;
        changes.events.retain(|event| match event {
            ChangeEvent::MessageCreated { message, .. } => !lock(&self.fillers).contains(&message.id),
            _ => true,
        });
        Ok(changes)
    }
}

#[tokio::test]
async fn a_store_that_leaves_holes_is_caught() {
    let lie = |store| LeavesHoles { store, fillers: Mutex::default() };
    assert_caught(
        |store, parts| parts.messages = Arc::new(lie(store)),
        &["a_batch_outlives_the_refusal_of_some", "only_members_write"],
    )
    .await;
}

/// Gives a number back for a draft that it refuses, though it had none, and so uses one again.
#[derive(Debug)]
struct ReusesNumbers {
    store: Arc<MemoryStore>,
}

message_store! { ReusesNumbers: message messages changes heads visible_head;
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let mut outcomes = self.store.append(drafts).await?;
        let mut refused = 0;
        for outcome in &mut outcomes {
            match outcome {
                AppendOutcome::Stored(message) => message.seq = message.seq.saturating_sub(refused),
                AppendOutcome::NotMember => refused += 1,
                AppendOutcome::Repeated(_) => {}
            }
        }
        Ok(outcomes)
    }
}

#[tokio::test]
async fn a_store_that_uses_a_number_again_is_caught() {
    assert_caught(
        |store, parts| parts.messages = Arc::new(ReusesNumbers { store }),
        &["a_batch_outlives_the_refusal_of_some"],
    )
    .await;
}

/// Counts on through a batch, whatever conversations its messages are for.
#[derive(Debug)]
struct NumbersBatches {
    store: Arc<MemoryStore>,
}

message_store! { NumbersBatches: message messages changes heads visible_head;
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let mut outcomes = self.store.append(drafts).await?;
        let first = outcomes.iter_mut().find_map(told).map_or(0, |message| message.seq);
        for (message, seq) in outcomes.iter_mut().filter_map(told).zip(first..) {
            message.seq = seq;
        }
        Ok(outcomes)
    }
}

#[tokio::test]
async fn a_store_that_numbers_batches_is_caught() {
    assert_caught(
        |store, parts| parts.messages = Arc::new(NumbersBatches { store }),
        &["a_batch_reaches_many_conversations"],
    )
    .await;
}

/// Takes a number first and shows the message later, and so may show the next one before it: a
/// sequence instead of a locked head.
#[derive(Debug)]
struct ShowsChangesOutOfOrder {
    store: Arc<MemoryStore>,
    /// Numbers of changes that are not shown yet.
    hidden: Mutex<BTreeSet<(ConversationId, u64)>>,
}

message_store! { ShowsChangesOutOfOrder: message messages heads visible_head;
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let mut outcomes = self.store.append(drafts).await?;
        let numbers: Vec<_> = outcomes
            .iter_mut()
            .filter_map(told)
            .map(|message| (message.conversation_id, message.change_seq))
            .collect();
        lock(&self.hidden).extend(&numbers);
        yield_now().await;
        // Those with an odd number take longer.
        if numbers.iter().any(|(_, number)| number % 2 == 1) {
            yield_now().await;
        }
        lock(&self.hidden).retain(|number| !numbers.contains(number));
        Ok(outcomes)
    }

    async fn changes(&self, room: ConversationId, since: u64, limit: usize)
        -> Result<Changes, StoreError>
    {
        let mut changes = self.store.changes(room, since, limit).await?;
        let hidden = lock(&self.hidden);
        changes.events.retain(|event| !hidden.contains(&(room, event.change_seq())));
        if changes.events.is_empty() {
            changes.through = since;
        } else if changes.complete {
            changes.through = changes.events.last().map_or(since, ChangeEvent::change_seq);
        }
        Ok(changes)
    }
}

#[tokio::test]
async fn a_store_that_shows_a_change_before_an_earlier_one_is_caught() {
    let lie = |store| ShowsChangesOutOfOrder { store, hidden: Mutex::default() };
    assert_caught(
        |store, parts| parts.messages = Arc::new(lie(store)),
        &["changes_become_visible_in_their_order"],
    )
    .await;
}

/// Tells messages only to who catches up: who joined and who left is not told.
#[derive(Debug)]
struct TellsMessagesOnly {
    store: Arc<MemoryStore>,
}

message_store! { TellsMessagesOnly: append message messages heads visible_head;
    async fn changes(&self, room: ConversationId, since: u64, limit: usize)
        -> Result<Changes, StoreError>
    {
        let mut changes = self.store.changes(room, since, limit).await?;
        changes.events.retain(|event| matches!(event, ChangeEvent::MessageCreated { .. }));
        Ok(changes)
    }
}

#[tokio::test]
async fn a_store_that_tells_no_joins_is_caught() {
    assert_caught(
        |store, parts| parts.messages = Arc::new(TellsMessagesOnly { store }),
        &["changes_tell_all_since_a_number", "of_a_member_the_last_change_is_told"],
    )
    .await;
}

/// Counts messages as changes, but not joins.
#[derive(Debug)]
struct JoinsTakeNoNumber {
    store: Arc<MemoryStore>,
}

member_store! { JoinsTakeNoNumber: chosen leave member members memberships circles;
    async fn join(
        &self,
        room: ConversationId,
        user: &UserId,
        at: Timestamp,
        max_memberships: usize,
    ) -> Result<JoinOutcome, StoreError> {
        let mut outcome = self.store.join(room, user, at, max_memberships).await?;
        if let JoinOutcome::Joined(profile, _) = &mut outcome {
            profile.member.change_seq -= 1;
        }
        Ok(outcome)
    }
}

#[tokio::test]
async fn a_store_whose_joins_are_no_changes_is_caught() {
    assert_caught(
        |store, parts| parts.members = Arc::new(JoinsTakeNoNumber { store }),
        &["a_user_joins_a_public_room_once", "joins_at_once_have_a_number_each"],
    )
    .await;
}
