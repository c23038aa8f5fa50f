//! Stores that make conversations which should not be.

use std::sync::Arc;

use chat_core::MemoryStore;
use chat_core::proto::{Conversation, UserId};
use chat_core::store::{MemberStore, NewDirect, NewRoom, OpenOutcome, StoreError};
use tokio::task::yield_now;

use crate::assert_caught;

/// Has one direct conversation for each of two who opens it.
#[derive(Debug)]
struct OpensOneEach {
    store: Arc<MemoryStore>,
}

conversation_store! { OpensOneEach:
    direct create_room find_or_create_room room_by_name conversation public_rooms recent;
    async fn open_direct(&self, direct: NewDirect) -> Result<OpenOutcome, StoreError> {
        let outcome = self.store.open_direct(direct.clone()).await?;
        let Some(found) = outcome.clone().conversation() else { return Ok(outcome) };
        if found.created_by == direct.opener {
            return Ok(outcome);
        }
        let NewDirect { id, opener, .. } = direct;
        Ok(OpenOutcome::Created(Conversation { id, created_by: opener, ..found }))
    }
}

#[tokio::test]
async fn a_store_with_a_direct_conversation_for_each_opener_is_caught() {
    assert_caught(
        |store, parts| parts.conversations = Arc::new(OpensOneEach { store }),
        &["a_pair_has_one_direct_conversation"],
    )
    .await;
}

/// Looks for a conversation, and only then begins to make one.
#[derive(Debug)]
struct LooksFirst {
    store: Arc<MemoryStore>,
}

conversation_store! { LooksFirst: direct create_room room_by_name conversation public_rooms recent;
    async fn open_direct(&self, direct: NewDirect) -> Result<OpenOutcome, StoreError> {
        let known = self.store.direct(&direct.opener, &direct.peer).await?;
        yield_now().await;
        let id = direct.id;
        let found = self.store.open_direct(direct).await?;
        match found {
            OpenOutcome::Existing(found) if known.is_none() => {
                Ok(OpenOutcome::Created(Conversation { id, ..found }))
            }
            honest => Ok(honest),
        }
    }

    async fn find_or_create_room(&self, room: NewRoom) -> Result<OpenOutcome, StoreError> {
        if let Some(conversation) = self.store.room_by_name(&room.name.key()).await? {
            return Ok(OpenOutcome::Existing(conversation));
        }
        yield_now().await;
        self.store.create_room(room).await
    }
}

#[tokio::test]
async fn a_store_that_looks_for_conversations_before_its_transaction_is_caught() {
    assert_caught(
        |store, parts| parts.conversations = Arc::new(LooksFirst { store }),
        &[
            "a_pair_that_opens_at_once_has_one_conversation",
            "a_pair_that_opens_and_writes_at_once_loses_nothing",
            "a_named_room_is_made_once_by_many",
        ],
    )
    .await;
}

/// Keeps of a conversation that it could not make what it had made so far.
#[derive(Debug)]
struct LeavesTraces {
    store: Arc<MemoryStore>,
}

conversation_store! { LeavesTraces:
    open_direct direct find_or_create_room room_by_name conversation public_rooms recent;
    async fn create_room(&self, room: NewRoom) -> Result<OpenOutcome, StoreError> {
        let failed = self.store.create_room(room.clone()).await;
        if failed.is_err()
            && let Some(other) = self.store.conversation(room.id).await?
        {
            // The row of the taken id is another's: the name goes to a room of its own.
            let id = chat_core::proto::ConversationId::generate();
            self.store.create_room(NewRoom { id, owner: other.created_by, ..room }).await?;
        }
        failed
    }
}

#[tokio::test]
async fn a_store_that_fails_by_halves_is_caught() {
    assert_caught(
        |store, parts| parts.conversations = Arc::new(LeavesTraces { store }),
        &["a_conversation_that_fails_leaves_no_trace"],
    )
    .await;
}

/// Counts memberships, and only then begins the transaction that adds one.
#[derive(Debug)]
struct CountsFirst {
    store: Arc<MemoryStore>,
}

impl CountsFirst {
    /// Whether the user has room for one more, as far as can be seen from outside.
    async fn may_add(&self, user: &UserId, max: usize) -> Result<bool, StoreError> {
        let may = self.store.chosen(user).await? < max;
        yield_now().await;
        Ok(may)
    }
}

conversation_store! { CountsFirst: direct room_by_name conversation public_rooms recent;
    async fn open_direct(&self, direct: NewDirect) -> Result<OpenOutcome, StoreError> {
        let max_memberships = usize::MAX;
        if !self.may_add(&direct.opener, direct.max_memberships).await? {
            return Ok(OpenOutcome::TooMany);
        }
        self.store.open_direct(NewDirect { max_memberships, ..direct }).await
    }

    async fn create_room(&self, room: NewRoom) -> Result<OpenOutcome, StoreError> {
        if !self.may_add(&room.owner, room.max_memberships).await? {
            return Ok(OpenOutcome::TooMany);
        }
        self.store.create_room(NewRoom { max_memberships: usize::MAX, ..room }).await
    }

    async fn find_or_create_room(&self, room: NewRoom) -> Result<OpenOutcome, StoreError> {
        if !self.may_add(&room.owner, room.max_memberships).await? {
            return Ok(OpenOutcome::TooMany);
        }
        self.store.find_or_create_room(NewRoom { max_memberships: usize::MAX, ..room }).await
    }
}

#[tokio::test]
async fn a_store_that_counts_memberships_before_its_transaction_is_caught() {
    assert_caught(
        |store, parts| parts.conversations = Arc::new(CountsFirst { store }),
        &["conversations_made_at_once_keep_to_the_limit"],
    )
    .await;
}
