//! Stores that tell somebody else of a mention.

use std::sync::Arc;

use chat_core::MemoryStore;
use chat_core::proto::{MENTIONS_MAX, MessageBody};
use chat_core::store::{AppendOutcome, MessageDraft, StoreError};

use crate::assert_caught;

/// Counts the places where somebody may be mentioned, whoever is.
#[derive(Debug)]
struct CountsPlaces {
    store: Arc<MemoryStore>,
}

message_store! { CountsPlaces: message messages changes heads visible_head;
    async fn append(&self, mut drafts: Vec<MessageDraft>)
        -> Result<Vec<AppendOutcome>, StoreError> {
        drafts.iter_mut().for_each(|draft| draft.mentions.truncate(MENTIONS_MAX));
        self.store.append(drafts).await
    }
}

#[tokio::test]
async fn a_store_that_counts_names_nobody_has_is_caught() {
    assert_caught(
        |store, parts| parts.messages = Arc::new(CountsPlaces { store }),
        &["only_members_count_as_mentions"],
    )
    .await;
}

/// Looks for names without the marks on their letters.
#[derive(Debug)]
struct DropsMarks {
    store: Arc<MemoryStore>,
}

message_store! { DropsMarks: message messages changes heads visible_head;
    async fn append(&self, mut drafts: Vec<MessageDraft>)
        -> Result<Vec<AppendOutcome>, StoreError> {
        for draft in &mut drafts {
            let bare: String = draft.content.as_str().replace(['\u{308}', '\u{94D}'], "!");
            draft.mentions = MessageBody::from_stored(bare).mentions();
        }
        self.store.append(drafts).await
    }
}

#[tokio::test]
async fn a_store_that_cuts_letters_is_caught() {
    assert_caught(
        |store, parts| parts.messages = Arc::new(DropsMarks { store }),
        &["a_mention_is_of_the_longest_name"],
    )
    .await;
}
