//! Stores that take one user for another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::MemoryStore;
use chat_core::proto::{NodeId, PresenceStatus, User, UserId};
use chat_core::store::{EnsureUser, NewUser, StoreError, UserStore, VisitStore};
use jiff::Timestamp;
use tokio::task::yield_now;

use crate::{assert_caught, lock};

fn recorded(new: NewUser) -> EnsureUser {
    EnsureUser::Created(User {
        id: new.id,
        username: new.username,
        display_name: new.display_name,
        created_at: new.created_at,
        last_seen_at: None,
    })
}

/// Gives names that differ from others in case or look.
#[derive(Debug)]
struct ComparesNamesByCaseOnly {
    store: Arc<MemoryStore>,
}

impl ComparesNamesByCaseOnly {
    async fn ensure(&self, new: NewUser) -> Result<EnsureUser, StoreError> {
        let outcome = self.store.ensure_user(new.clone()).await?;
        let same = self.store.user_by_name(&new.username.key()).await?;
        Ok(if outcome == EnsureUser::UsernameTaken && same.is_none() {
            recorded(new)
        } else {
            outcome
        })
    }
}

user_store! { ComparesNamesByCaseOnly: user users user_by_name search_users record_last_seen choose_presence;
    async fn ensure_users(&self, all: Vec<NewUser>) -> Result<Vec<EnsureUser>, StoreError> {
        let mut outcomes = Vec::new();
        for new in all {
            outcomes.push(self.ensure(new).await?);
        }
        Ok(outcomes)
    }
}

#[tokio::test]
async fn a_store_that_gives_a_look_alike_name_is_caught() {
    assert_caught(
        |store, parts| parts.users = Arc::new(ComparesNamesByCaseOnly { store }),
        &[
            "a_name_is_taken_by_its_case_and_by_its_look",
            "look_alikes_are_refused_in_either_order_and_case",
            "look_alike_names_at_once_make_one_user",
        ],
    )
    .await;
}

/// Shows anybody by any name.
#[derive(Debug)]
struct ShowsAnyName {
    store: Arc<MemoryStore>,
}

user_store! { ShowsAnyName: user users user_by_name search_users record_last_seen choose_presence;
    async fn ensure_users(&self, all: Vec<NewUser>) -> Result<Vec<EnsureUser>, StoreError> {
        let mut outcomes = Vec::new();
        for new in all {
            let outcome = self.store.ensure_user(new.clone()).await?;
            let shown = outcome == EnsureUser::DisplayNameTaken;
            outcomes.push(if shown { recorded(new) } else { outcome });
        }
        Ok(outcomes)
    }
}

#[tokio::test]
async fn a_store_that_shows_a_user_by_anothers_name_is_caught() {
    assert_caught(
        |store, parts| parts.users = Arc::new(ShowsAnyName { store }),
        &["a_name_to_be_shown_is_nobody_elses_name"],
    )
    .await;
}

/// Finds users by names in lower case, whatever their normal form.
#[derive(Debug)]
struct FindsByLowerCase {
    store: Arc<MemoryStore>,
}

user_store! { FindsByLowerCase: ensure_users user users search_users record_last_seen choose_presence;
    async fn user_by_name(&self, key: &str) -> Result<Option<User>, StoreError> {
        let found = self.store.user_by_name(key).await?;
        Ok(found.filter(|user| user.username.as_str().to_lowercase() == key))
    }
}

#[tokio::test]
async fn a_store_that_finds_names_by_lower_case_is_caught() {
    assert_caught(
        |store, parts| parts.users = Arc::new(FindsByLowerCase { store }),
        &["a_name_is_one_in_every_form"],
    )
    .await;
}

/// Looks whether a name is free, and only then begins to give it.
#[derive(Debug)]
struct LooksForNamesFirst {
    store: Arc<MemoryStore>,
}

impl LooksForNamesFirst {
    async fn ensure(&self, new: NewUser) -> Result<EnsureUser, StoreError> {
        let taken = self.store.user_by_name(&new.username.key()).await?.is_some();
        yield_now().await;
        let outcome = self.store.ensure_user(new.clone()).await?;
        let same = self.store.user_by_name(&new.username.key()).await?.is_some();
        let late = outcome == EnsureUser::UsernameTaken && !taken && same;
        Ok(if late { recorded(new) } else { outcome })
    }
}

user_store! { LooksForNamesFirst: user users user_by_name search_users record_last_seen choose_presence;
    async fn ensure_users(&self, all: Vec<NewUser>) -> Result<Vec<EnsureUser>, StoreError> {
        let mut outcomes = Vec::new();
        for new in all {
            outcomes.push(self.ensure(new).await?);
        }
        Ok(outcomes)
    }
}

#[tokio::test]
async fn a_store_that_gives_a_name_twice_in_a_race_is_caught() {
    assert_caught(
        |store, parts| parts.users = Arc::new(LooksForNamesFirst { store }),
        &["look_alike_names_at_once_make_one_user"],
    )
    .await;
}

/// Hands what is searched for to a pattern as it is: `%` is any text, `_` any character.
#[derive(Debug)]
struct SearchesByPattern {
    store: Arc<MemoryStore>,
}

/// Whether a text is like a pattern, character by character.
fn is_like(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skipped| is_like(&text[skipped..], rest)),
        [one, rest @ ..] => text
            .split_first()
            .is_some_and(|(first, text)| (*one == '_' || one == first) && is_like(text, rest)),
    }
}

user_store! { SearchesByPattern: ensure_users user users user_by_name record_last_seen choose_presence;
    async fn search_users(&self, prefix: &str, limit: usize) -> Result<Vec<User>, StoreError> {
        let pattern: Vec<char> = prefix.chars().chain(['%']).collect();
        let mut found = self.store.search_users("", usize::MAX).await?;
        found.retain(|user| {
            [user.username.key(), user.display_name.key()]
                .iter()
                .any(|name| is_like(&name.chars().collect::<Vec<_>>(), &pattern))
        });
        found.truncate(limit);
        Ok(found)
    }
}

#[tokio::test]
async fn a_store_that_searches_by_patterns_is_caught() {
    assert_caught(
        |store, parts| parts.users = Arc::new(SearchesByPattern { store }),
        &["a_search_takes_every_character_for_itself"],
    )
    .await;
}

/// Records every end of a session, also one that was before another.
#[derive(Debug)]
struct RecordsEveryEnd {
    store: Arc<MemoryStore>,
    seen: Mutex<HashMap<UserId, Timestamp>>,
}

user_store! { RecordsEveryEnd: ensure_users users user_by_name search_users choose_presence;
    async fn record_last_seen(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
        lock(&self.seen).insert(id.clone(), at);
        self.store.record_last_seen(id, at).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let user = self.store.user(id).await?;
        let last_seen_at = lock(&self.seen).get(id).copied();
        Ok(user.map(|user| User { last_seen_at, ..user }))
    }
}

#[tokio::test]
async fn a_store_whose_last_seen_goes_back_is_caught() {
    let lie = |store| RecordsEveryEnd { store, seen: Mutex::default() };
    assert_caught(
        |store, parts| parts.users = Arc::new(lie(store)),
        &["last_seen_moves_forward_only", "last_seen_at_once_is_the_latest"],
    )
    .await;
}

/// Keeps times to the millisecond.
#[derive(Debug)]
struct KeepsMilliseconds {
    store: Arc<MemoryStore>,
}

impl KeepsMilliseconds {
    async fn ensure(&self, new: NewUser) -> Result<EnsureUser, StoreError> {
        let created_at = Timestamp::from_millisecond(new.created_at.as_millisecond());
        let created_at = created_at.unwrap_or(new.created_at);
        self.store.ensure_user(NewUser { created_at, ..new }).await
    }
}

user_store! { KeepsMilliseconds: user users user_by_name search_users record_last_seen choose_presence;
    async fn ensure_users(&self, all: Vec<NewUser>) -> Result<Vec<EnsureUser>, StoreError> {
        let mut outcomes = Vec::new();
        for new in all {
            outcomes.push(self.ensure(new).await?);
        }
        Ok(outcomes)
    }
}

#[tokio::test]
async fn a_store_that_keeps_milliseconds_is_caught() {
    assert_caught(
        |store, parts| parts.users = Arc::new(KeepsMilliseconds { store }),
        &["names_of_every_script_come_back_unchanged", "every_time_is_kept_to_the_microsecond"],
    )
    .await;
}

/// Forgets how users want to be shown when they go.
#[derive(Debug)]
struct ForgetsChoices {
    store: Arc<MemoryStore>,
}

user_store! { ForgetsChoices: ensure_users user users user_by_name search_users choose_presence;
    async fn record_last_seen(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
        self.store.record_last_seen(id, at).await?;
        self.store.choose_presence(id, PresenceStatus::Online).await
    }
}

#[tokio::test]
async fn a_store_that_forgets_how_users_want_to_be_shown_is_caught() {
    assert_caught(
        |store, parts| parts.users = Arc::new(ForgetsChoices { store }),
        &["a_chosen_presence_is_kept"],
    )
    .await;
}

/// Ends visits to nodes that live.
#[derive(Debug)]
struct EndsEveryVisit {
    store: Arc<MemoryStore>,
}

#[async_trait]
impl VisitStore for EndsEveryVisit {
    async fn record_alive(&self, node: NodeId, users: &[UserId]) -> Result<(), StoreError> {
        self.store.record_alive(node, users).await
    }

    async fn end_visits(
        &self,
        _: NodeId,
        _: Duration,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.store.end_visits(NodeId::generate(), Duration::ZERO, limit).await
    }
}

#[tokio::test]
async fn a_store_that_ends_visits_to_living_nodes_is_caught() {
    assert_caught(
        |store, parts| parts.visits = Arc::new(EndsEveryVisit { store }),
        &["users_of_a_dead_node_were_seen_when_it_lived", "a_node_that_lives_keeps_its_users"],
    )
    .await;
}
