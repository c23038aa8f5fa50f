//! Stores whose cursors go where they should not.

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::MemoryStore;
use chat_core::proto::{ConversationId, UserId};
use chat_core::store::{CursorAdvance, CursorKind, CursorStore, StoreError};
use tokio::task::yield_now;

use crate::{assert_caught, unread};

/// Moves a cursor to where it is asked to, also back, also beyond the last message.
#[derive(Debug)]
struct MovesAnywhere {
    store: Arc<MemoryStore>,
    back: bool,
}

#[async_trait]
impl CursorStore for MovesAnywhere {
    async fn advance(
        &self,
        room: ConversationId,
        user: &UserId,
        kind: CursorKind,
        seq: Option<u64>,
    ) -> Result<Option<CursorAdvance>, StoreError> {
        let mut moved = self.store.advance(room, user, kind, seq).await?;
        if let (Some(moved), Some(seq)) = (&mut moved, seq) {
            moved.to = if self.back { seq.min(moved.to) } else { seq.max(moved.to) };
        }
        Ok(moved)
    }
}

#[tokio::test]
async fn a_store_whose_cursors_move_anywhere_is_caught() {
    for (back, case) in
        [(true, "a_cursor_moves_forward_only"), (false, "a_cursor_stops_at_the_last_message")]
    {
        assert_caught(
            |store, parts| parts.cursors = Arc::new(MovesAnywhere { store, back }),
            &[case],
        )
        .await;
    }
}

/// Reads where a cursor stands, and only then begins to move it.
#[derive(Debug)]
struct MovesInTwoSteps {
    store: Arc<MemoryStore>,
}

#[async_trait]
impl CursorStore for MovesInTwoSteps {
    async fn advance(
        &self,
        room: ConversationId,
        user: &UserId,
        kind: CursorKind,
        seq: Option<u64>,
    ) -> Result<Option<CursorAdvance>, StoreError> {
        let Some(before) = self.store.advance(room, user, kind, Some(0)).await? else {
            return Ok(None);
        };
        yield_now().await;
        let Some(moved) = self.store.advance(room, user, kind, seq).await? else {
            return Ok(None);
        };
        let (from, to) = (before.from, moved.to);
        let passed = unread(&self.store, room, user, from).await?
            - unread(&self.store, room, user, to).await?;
        Ok(Some(CursorAdvance { from, passed, ..moved }))
    }
}

#[tokio::test]
async fn a_store_whose_cursors_move_in_two_steps_is_caught() {
    assert_caught(
        |store, parts| parts.cursors = Arc::new(MovesInTwoSteps { store }),
        &["a_cursor_moved_at_once_passes_each_message_once"],
    )
    .await;
}

/// Says through which message it has counted by a look after the count.
#[derive(Debug)]
struct CountsThroughLater {
    store: Arc<MemoryStore>,
}

#[async_trait]
impl CursorStore for CountsThroughLater {
    async fn advance(
        &self,
        room: ConversationId,
        user: &UserId,
        kind: CursorKind,
        seq: Option<u64>,
    ) -> Result<Option<CursorAdvance>, StoreError> {
        let Some(moved) = self.store.advance(room, user, kind, seq).await? else {
            return Ok(None);
        };
        // Two messages come meanwhile, of which one is not the user's own.
        yield_now().await;
        yield_now().await;
        let later = self.store.advance(room, user, kind, Some(0)).await?;
        let counted_through = later.map_or(moved.counted_through, |later| later.counted_through);
        Ok(Some(CursorAdvance { counted_through, ..moved }))
    }
}

#[tokio::test]
async fn a_store_that_says_too_late_what_it_counted_is_caught() {
    assert_caught(
        |store, parts| parts.cursors = Arc::new(CountsThroughLater { store }),
        &["a_cursor_among_messages_passes_each_once"],
    )
    .await;
}
