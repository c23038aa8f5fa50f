//! Stores whose lists show something else.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_core::MemoryStore;
use chat_core::proto::{Conversation, ConversationId, ConversationSummary, MessagePreview, UserId};
use chat_core::store::{MessageStore, Overview, ProbeStore, StoreError};
use tokio::task::yield_now;

use crate::{assert_caught, lock};

/// Shows the first message of a conversation instead of the last.
#[derive(Debug)]
struct PreviewsTheFirst {
    store: Arc<MemoryStore>,
}

inbox_store! { PreviewsTheFirst: summaries unread_total overviews missed;
    async fn summary(&self, user: &UserId, room: ConversationId)
        -> Result<Option<ConversationSummary>, StoreError>
    {
        let Some(mut summary) = self.store.summary(user, room).await? else { return Ok(None) };
        let first = self.store.messages(room, 1..=1).await?;
        summary.preview = first.first().map(MessagePreview::from);
        Ok(Some(summary))
    }
}

#[tokio::test]
async fn a_store_that_shows_another_message_is_caught() {
    assert_caught(
        |store, parts| parts.inbox = Arc::new(PreviewsTheFirst { store }),
        &["a_room_shows_its_last_message", "a_summary_shows_one_moment"],
    )
    .await;
}

/// Tells of the memberships on the first page only.
#[derive(Debug)]
struct OverlooksTheRest {
    store: Arc<MemoryStore>,
}

inbox_store! { OverlooksTheRest: summaries summary unread_total missed;
    async fn overviews(&self, users: &[UserId], limit: usize) -> Result<Vec<Overview>, StoreError> {
        let mut overviews = self.store.overviews(users, limit).await?;
        for Overview { standings, summaries } in &mut overviews {
            standings.retain(|standing| {
                let id = standing.head.conversation_id;
                summaries.iter().any(|summary| summary.conversation_id == id)
            });
        }
        Ok(overviews)
    }
}

#[tokio::test]
async fn a_store_that_overlooks_memberships_beyond_a_page_is_caught() {
    assert_caught(
        |store, parts| parts.inbox = Arc::new(OverlooksTheRest { store }),
        &["an_overview_is_all_memberships_and_the_first_page"],
    )
    .await;
}

/// Takes the newest conversations for those of the newest messages.
#[derive(Debug)]
struct ListsTheNewest {
    store: Arc<MemoryStore>,
}

conversation_store! { ListsTheNewest:
    open_direct direct create_room find_or_create_room room_by_name conversation public_rooms;
    async fn recent(&self, limit: usize) -> Result<Vec<Conversation>, StoreError> {
        let mut all = self.store.recent(usize::MAX).await?;
        all.sort_by_key(|conversation| Reverse((conversation.created_at, conversation.id)));
        all.truncate(limit);
        Ok(all)
    }
}

#[tokio::test]
async fn a_store_that_lists_new_conversations_for_active_ones_is_caught() {
    assert_caught(
        |store, parts| parts.conversations = Arc::new(ListsTheNewest { store }),
        &["recent_conversations_are_those_of_the_latest_messages"],
    )
    .await;
}

/// Looks for its own mark after a probe, which that of another may have replaced.
#[derive(Debug, Default)]
struct LooksForItsMark {
    /// The last mark that was given out, and the one that is written.
    marks: Mutex<(u64, u64)>,
}

#[async_trait]
impl ProbeStore for LooksForItsMark {
    async fn probe(&self) -> Result<(), StoreError> {
        let mark = {
            let mut marks = lock(&self.marks);
            marks.0 += 1;
            marks.1 = marks.0;
            marks.0
        };
        yield_now().await;
        if lock(&self.marks).1 == mark { Ok(()) } else { Err(StoreError::failed("another mark")) }
    }
}

#[tokio::test]
async fn a_store_whose_probes_disturb_each_other_is_caught() {
    assert_caught(
        |_, parts| parts.probe = Arc::new(LooksForItsMark::default()),
        &["a_store_that_works_says_so_to_many_at_once"],
    )
    .await;
}
