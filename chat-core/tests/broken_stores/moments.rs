//! Stores whose answers are put together from several moments.

use std::sync::Arc;

use chat_core::MemoryStore;
use chat_core::proto::{ConversationId, ConversationSummary, MessagePreview, UserId};
use chat_core::store::{Changes, MessageStore, Overview, StoreError};
use tokio::task::yield_now;

use crate::assert_caught;

/// Reads the changes, and then how far they reach.
#[derive(Debug)]
struct ReadsChangesTorn {
    store: Arc<MemoryStore>,
}

message_store! { ReadsChangesTorn: append message messages heads visible_head;
    async fn changes(&self, room: ConversationId, since: u64, limit: usize)
        -> Result<Changes, StoreError>
    {
        let mut changes = self.store.changes(room, since, limit).await?;
        yield_now().await;
        let head = self.store.heads(&[room]).await?.pop();
        if let Some(head) = head.filter(|_| changes.complete) {
            changes.through = head.change_seq;
        }
        Ok(changes)
    }
}

#[tokio::test]
async fn a_store_that_reads_changes_in_two_steps_is_caught() {
    assert_caught(
        |store, parts| parts.messages = Arc::new(ReadsChangesTorn { store }),
        &["changes_are_read_from_one_snapshot", "changes_become_visible_in_their_order"],
    )
    .await;
}

/// Reads memberships and heads, and then the list.
#[derive(Debug)]
struct ReadsOverviewsTorn {
    store: Arc<MemoryStore>,
}

inbox_store! { ReadsOverviewsTorn: summaries summary unread_total missed;
    async fn overviews(&self, users: &[UserId], limit: usize) -> Result<Vec<Overview>, StoreError> {
        let mut overviews = self.store.overviews(users, 0).await?;
        yield_now().await;
        for (overview, user) in overviews.iter_mut().zip(users) {
            overview.summaries = self.store.summaries(user, None, limit).await?;
        }
        Ok(overviews)
    }
}

#[tokio::test]
async fn a_store_that_reads_overviews_in_two_steps_is_caught() {
    assert_caught(
        |store, parts| parts.inbox = Arc::new(ReadsOverviewsTorn { store }),
        &["an_overview_shows_one_moment"],
    )
    .await;
}

/// Reads where conversations stand, and then their last messages.
#[derive(Debug)]
struct ReadsPreviewsLate {
    store: Arc<MemoryStore>,
}

impl ReadsPreviewsLate {
    async fn preview(&self, summary: &mut ConversationSummary) -> Result<(), StoreError> {
        let messages = self.store.messages(summary.conversation_id, 1..=u64::MAX).await?;
        summary.preview = messages.last().map(MessagePreview::from);
        Ok(())
    }
}

inbox_store! { ReadsPreviewsLate: summary unread_total overviews missed;
    async fn summaries(
        &self,
        user: &UserId,
        after: Option<chat_core::store::InboxPosition>,
        limit: usize,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        let mut summaries = self.store.summaries(user, after, limit).await?;
        yield_now().await;
        for summary in &mut summaries {
            self.preview(summary).await?;
        }
        Ok(summaries)
    }
}

#[tokio::test]
async fn a_store_that_reads_summaries_in_two_steps_is_caught() {
    assert_caught(
        |store, parts| parts.inbox = Arc::new(ReadsPreviewsLate { store }),
        &["a_summary_shows_one_moment"],
    )
    .await;
}

/// Reads the head, and then the counts of one conversation.
#[derive(Debug)]
struct CountsLate {
    store: Arc<MemoryStore>,
}

inbox_store! { CountsLate: summaries unread_total overviews missed;
    async fn summary(&self, user: &UserId, room: ConversationId)
        -> Result<Option<ConversationSummary>, StoreError>
    {
        let before = self.store.summary(user, room).await?;
        yield_now().await;
        let after = self.store.summary(user, room).await?;
        Ok(before.zip(after).map(|(before, after)| ConversationSummary {
            unread: after.unread,
            unread_mentions: after.unread_mentions,
            ..before
        }))
    }
}

#[tokio::test]
async fn a_store_whose_counts_are_of_another_moment_is_caught() {
    assert_caught(
        |store, parts| parts.inbox = Arc::new(CountsLate { store }),
        &["a_summary_shows_one_moment"],
    )
    .await;
}
