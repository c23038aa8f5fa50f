//! Stores that do not know a message again, or the wrong one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chat_core::MemoryStore;
use chat_core::proto::{ClientId, ConversationId, UserId};
use chat_core::store::{AppendOutcome, MessageDraft, StoreError};
use jiff::{SignedDuration, Timestamp};
use tokio::task::yield_now;

use crate::{assert_caught, lock, told};

/// What makes a message the same message.
type Key = (ConversationId, UserId, ClientId);

fn key(draft: &MessageDraft) -> Key {
    (draft.conversation_id, draft.sender_id.clone(), draft.client_id.clone())
}

/// When a client id was used last.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Use {
    batch: usize,
    message: usize,
    at: Timestamp,
}

/// Forgets client ids.
#[derive(Debug)]
struct Forgets {
    store: Arc<MemoryStore>,
    /// Whether a use is forgotten at the time of another.
    forgets: fn(Use, Use) -> bool,
    uses: Mutex<Uses>,
}

/// What was used when, and how much there was.
#[derive(Debug, Default)]
struct Uses {
    batches: usize,
    messages: usize,
    /// The use, and the client id under which the message is really stored.
    known: HashMap<Key, (Use, ClientId)>,
}

impl Forgets {
    /// The drafts as the store is to have them: a client id that is forgotten is another.
    fn disguise(&self, drafts: &[MessageDraft]) -> Vec<MessageDraft> {
        let mut uses = lock(&self.uses);
        uses.batches += 1;
        let disguised = drafts.iter().map(|draft| {
            uses.messages += 1;
            let now = Use { batch: uses.batches, message: uses.messages, at: draft.created_at };
            let known = uses.known.get(&key(draft)).cloned();
            let client_id = match known {
                None => draft.client_id.clone(),
                Some((used, _)) if (self.forgets)(used, now) => ClientId::generate(),
                Some((_, disguise)) => {
                    return MessageDraft { client_id: disguise, ..draft.clone() };
                }
            };
            uses.known.insert(key(draft), (now, client_id.clone()));
            MessageDraft { client_id, ..draft.clone() }
        });
        disguised.collect()
    }
}

message_store! { Forgets: message messages changes heads visible_head;
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let mut outcomes = self.store.append(self.disguise(&drafts)).await?;
        for (outcome, draft) in outcomes.iter_mut().zip(drafts) {
            if let Some(message) = told(outcome) {
                message.client_id = draft.client_id;
            }
        }
        Ok(outcomes)
    }
}

async fn assert_forgetting_is_caught(forgets: fn(Use, Use) -> bool, case: &str) {
    let lie = |store| Forgets { store, forgets, uses: Mutex::default() };
    assert_caught(|store, parts| parts.messages = Arc::new(lie(store)), &[case]).await;
}

#[tokio::test]
async fn a_store_that_forgets_client_ids_is_caught() {
    assert_forgetting_is_caught(
        |used, now| used.batch != now.batch,
        "a_repeat_is_answered_with_the_original",
    )
    .await;
    assert_forgetting_is_caught(
        |used, now| used.batch == now.batch,
        "a_repeat_within_a_batch_is_answered_with_the_original",
    )
    .await;
}

#[tokio::test]
async fn a_store_that_forgets_client_ids_in_the_end_is_caught() {
    let case = "a_client_id_is_known_for_ever";
    assert_forgetting_is_caught(|used, now| now.message - used.message > 2_000, case).await;
    assert_forgetting_is_caught(|used, now| now.batch - used.batch > 3, case).await;
    let day = |used: Use, now: Use| now.at.duration_since(used.at) > SignedDuration::from_hours(24);
    assert_forgetting_is_caught(day, case).await;
}

/// Takes client ids for the same that differ in case only.
#[derive(Debug)]
struct IgnoresCase {
    store: Arc<MemoryStore>,
}

message_store! { IgnoresCase: message messages changes heads visible_head;
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let ids: Vec<_> = drafts.iter().map(|draft| draft.client_id.clone()).collect();
        let lower = drafts.into_iter().map(|draft| MessageDraft {
            client_id: draft.client_id.as_str().to_lowercase().parse().unwrap(),
            ..draft
        });
        let mut outcomes = self.store.append(lower.collect()).await?;
        for (outcome, client_id) in outcomes.iter_mut().zip(ids) {
            if let AppendOutcome::Stored(message) = outcome {
                message.client_id = client_id;
            }
        }
        Ok(outcomes)
    }
}

#[tokio::test]
async fn a_store_that_ignores_the_case_of_client_ids_is_caught() {
    assert_caught(
        |store, parts| parts.messages = Arc::new(IgnoresCase { store }),
        &["a_client_id_belongs_to_a_sender_and_a_conversation"],
    )
    .await;
}

/// Has one set of client ids for all who write in a conversation.
#[derive(Debug)]
struct SharesClientIds {
    store: Arc<MemoryStore>,
    owners: Mutex<HashMap<(ConversationId, ClientId), UserId>>,
}

message_store! { SharesClientIds: message messages changes heads visible_head;
    async fn append(&self, mut drafts: Vec<MessageDraft>)
        -> Result<Vec<AppendOutcome>, StoreError>
    {
        for draft in &mut drafts {
            let key = (draft.conversation_id, draft.client_id.clone());
            let mut owners = lock(&self.owners);
            draft.sender_id = owners.entry(key).or_insert(draft.sender_id.clone()).clone();
        }
        self.store.append(drafts).await
    }
}

#[tokio::test]
async fn a_store_that_answers_with_the_message_of_another_is_caught() {
    let lie = |store| SharesClientIds { store, owners: Mutex::default() };
    assert_caught(
        |store, parts| parts.messages = Arc::new(lie(store)),
        &["a_client_id_belongs_to_a_sender_and_a_conversation"],
    )
    .await;
}

/// Answers a repeat with the text of the repeat.
#[derive(Debug)]
struct AnswersWithTheNewText {
    store: Arc<MemoryStore>,
}

message_store! { AnswersWithTheNewText: message messages changes heads visible_head;
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let mut outcomes = self.store.append(drafts.clone()).await?;
        for (outcome, draft) in outcomes.iter_mut().zip(drafts) {
            if let AppendOutcome::Repeated(message) = outcome {
                message.content = draft.content;
            }
        }
        Ok(outcomes)
    }
}

#[tokio::test]
async fn a_store_that_answers_a_repeat_with_its_own_text_is_caught() {
    assert_caught(
        |store, parts| parts.messages = Arc::new(AnswersWithTheNewText { store }),
        &["a_repeat_is_answered_with_the_original", "a_client_id_is_known_for_ever"],
    )
    .await;
}

/// Looks for a repeat, and only then begins to store.
#[derive(Debug)]
struct LooksForRepeatsFirst {
    store: Arc<MemoryStore>,
    known: Mutex<HashMap<Key, ()>>,
}

message_store! { LooksForRepeatsFirst: message messages changes heads visible_head;
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let new: Vec<bool> =
            drafts.iter().map(|draft| !lock(&self.known).contains_key(&key(draft))).collect();
        yield_now().await;
        let mut outcomes = self.store.append(drafts.clone()).await?;
        for ((outcome, draft), new) in outcomes.iter_mut().zip(drafts).zip(new) {
            let known = lock(&self.known).insert(key(&draft), ()).is_some();
            if new && known && matches!(outcome, AppendOutcome::Repeated(_)) {
                let client_id = draft.client_id.clone();
                let again = MessageDraft { client_id: ClientId::generate(), ..draft };
                *outcome = self.store.append(vec![again]).await?.remove(0);
                if let Some(message) = told(outcome) {
                    message.client_id = client_id;
                }
            }
        }
        Ok(outcomes)
    }
}

#[tokio::test]
async fn a_store_that_looks_for_repeats_before_its_transaction_is_caught() {
    let lie = |store| LooksForRepeatsFirst { store, known: Mutex::default() };
    assert_caught(
        |store, parts| parts.messages = Arc::new(lie(store)),
        &["a_repeat_at_once_is_stored_once", "one_client_id_in_batches_at_once_is_one_message"],
    )
    .await;
}
