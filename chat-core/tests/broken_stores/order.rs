//! Stores that order by the clock what has numbers.

use std::cmp::Reverse;
use std::ops::RangeInclusive;
use std::sync::Arc;

use chat_core::MemoryStore;
use chat_core::proto::{ConversationId, ConversationSummary, Message, UserId};
use chat_core::store::{InboxPosition, StoreError};

use crate::assert_caught;

/// Sorts history by the time of its messages.
#[derive(Debug)]
struct SortsHistoryByTime {
    store: Arc<MemoryStore>,
}

message_store! { SortsHistoryByTime: append message changes heads visible_head;
    async fn messages(&self, room: ConversationId, seqs: RangeInclusive<u64>)
        -> Result<Vec<Message>, StoreError>
    {
        let mut messages = self.store.messages(room, seqs).await?;
        messages.sort_by_key(|message| message.created_at);
        Ok(messages)
    }
}

/// Takes a page of history from all of it in the order of time.
#[derive(Debug)]
struct PagesHistoryByTime {
    store: Arc<MemoryStore>,
}

message_store! { PagesHistoryByTime: append message changes heads visible_head;
    async fn messages(&self, room: ConversationId, seqs: RangeInclusive<u64>)
        -> Result<Vec<Message>, StoreError>
    {
        let mut messages = self.store.messages(room, 0..=u64::MAX).await?;
        messages.sort_by_key(|message| message.created_at);
        let places = (1..).zip(messages).filter(|(place, _)| seqs.contains(place));
        Ok(places.map(|(_, message)| message).collect())
    }
}

#[tokio::test]
async fn a_store_whose_history_goes_by_time_is_caught() {
    let case = &["the_clock_orders_no_messages"];
    assert_caught(|store, parts| parts.messages = Arc::new(SortsHistoryByTime { store }), case)
        .await;
    assert_caught(|store, parts| parts.messages = Arc::new(PagesHistoryByTime { store }), case)
        .await;
}

/// Goes on in the list of conversations after a time, and so past others of the same time.
#[derive(Debug)]
struct PagesTheListByTime {
    store: Arc<MemoryStore>,
}

inbox_store! { PagesTheListByTime: summary unread_total overviews missed;
    async fn summaries(&self, user: &UserId, after: Option<InboxPosition>, limit: usize)
        -> Result<Vec<ConversationSummary>, StoreError>
    {
        let mut all = self.store.summaries(user, None, usize::MAX).await?;
        all.retain(|one| after.is_none_or(|after| one.last_activity_at < after.last_activity_at));
        all.truncate(limit);
        Ok(all)
    }
}

#[tokio::test]
async fn a_store_with_a_time_as_the_place_in_a_list_is_caught() {
    assert_caught(
        |store, parts| parts.inbox = Arc::new(PagesTheListByTime { store }),
        &["pages_neither_repeat_nor_skip", "the_clock_orders_no_list"],
    )
    .await;
}

/// Sorts the list of conversations by the time of their last messages.
#[derive(Debug)]
struct SortsTheListByTime {
    store: Arc<MemoryStore>,
}

inbox_store! { SortsTheListByTime: summary unread_total overviews missed;
    async fn summaries(&self, user: &UserId, after: Option<InboxPosition>, limit: usize)
        -> Result<Vec<ConversationSummary>, StoreError>
    {
        let place = |activity_at, id| Reverse((activity_at, id));
        let mut all = self.store.summaries(user, None, usize::MAX).await?;
        all.sort_by_key(|one| place(one.last_activity_at, one.conversation_id));
        all.retain(|one| {
            after.is_none_or(|after| {
                place(one.last_activity_at, one.conversation_id)
                    > place(after.last_activity_at, after.id)
            })
        });
        all.truncate(limit);
        Ok(all)
    }
}

#[tokio::test]
async fn a_store_whose_list_goes_by_time_is_caught() {
    assert_caught(
        |store, parts| parts.inbox = Arc::new(SortsTheListByTime { store }),
        &["the_clock_orders_no_list", "pages_neither_repeat_nor_skip"],
    )
    .await;
}
