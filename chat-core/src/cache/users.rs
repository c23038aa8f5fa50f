use async_trait::async_trait;
use chat_proto::{PresenceStatus, User, UserId};
use jiff::Timestamp;

use super::generations::Topic;
use super::shelf::Answer;
use super::{CachedStore, Shelf};
use crate::store::{EnsureUser, NewUser, StoreError, UserStore};

#[async_trait]
impl UserStore for CachedStore {
    async fn ensure_users(&self, users: Vec<NewUser>) -> Result<Vec<EnsureUser>, StoreError> {
        let _writing = self.writing(users.iter().map(|user| Topic::Record(&user.id)));
        self.store.ensure_users(users.clone()).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let read = async { Ok(self.store.user(id).await?.map(|user| self.record(user))) };
        self.users.get_or_read(id.clone(), read).await
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        let (mut found, missing) = split(&self.users, ids);
        if !missing.is_empty() {
            let mark = self.freshness.mark();
            for user in self.store.users(&missing).await? {
                self.users.keep(user.id.clone(), self.record(user.clone()), mark);
                found.push(user);
            }
        }
        Ok(found)
    }

    async fn user_by_name(&self, key: &str) -> Result<Option<User>, StoreError> {
        let read = async { Ok(self.store.user_by_name(key).await?.map(|user| self.record(user))) };
        self.names.get_or_read(key.to_owned(), read).await
    }

    async fn search_users(&self, prefix: &str, limit: usize) -> Result<Vec<User>, StoreError> {
        self.store.search_users(prefix, limit).await
    }

    async fn record_last_seen(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
        let _writing = self.writing([Topic::Record(id)]);
        self.store.record_last_seen(id, at).await
    }

    async fn choose_presence(&self, id: &UserId, status: PresenceStatus) -> Result<(), StoreError> {
        self.store.choose_presence(id, status).await
    }
}

impl CachedStore {
    fn record(&self, user: User) -> Answer<User> {
        Answer { depends_on: self.slots([Topic::Record(&user.id)]), value: user }
    }
}

/// What is there of several entries, and the keys of the others, each once. Both are counted.
pub(super) fn split<K, V>(shelf: &Shelf<K, V>, keys: &[K]) -> (Vec<V>, Vec<K>)
where
    K: std::hash::Hash + Ord + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let mut keys: Vec<_> = keys.iter().collect();
    keys.sort_unstable();
    keys.dedup();
    let (mut found, mut missing) = (Vec::with_capacity(keys.len()), Vec::new());
    for key in keys {
        match shelf.get(key) {
            Some(value) => found.push(value),
            None => missing.push(key.clone()),
        }
    }
    shelf.missed(missing.len());
    (found, missing)
}
