use async_trait::async_trait;
use chat_proto::{PresenceStatus, User, UserId};
use jiff::Timestamp;

use super::{MemoryStore, to_microsecond};
use crate::store::{EnsureUser, NewUser, StoreError, UserStore};

#[async_trait]
impl UserStore for MemoryStore {
    async fn ensure_users(&self, users: Vec<NewUser>) -> Result<Vec<EnsureUser>, StoreError> {
        let mut data = self.lock();
        Ok(users.into_iter().map(|user| data.ensure_user(user)).collect())
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        Ok(self.lock().users.get(id).cloned())
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        let data = self.lock();
        let mut users: Vec<User> =
            ids.iter().filter_map(|id| data.users.get(id).cloned()).collect();
        users.sort_by(|a, b| a.id.cmp(&b.id));
        users.dedup_by(|a, b| a.id == b.id);
        Ok(users)
    }

    async fn user_by_name(&self, key: &str) -> Result<Option<User>, StoreError> {
        let data = self.lock();
        Ok(data.user_keys.get(key).and_then(|id| data.users.get(id)).cloned())
    }

    async fn search_users(&self, prefix: &str, limit: usize) -> Result<Vec<User>, StoreError> {
        let data = self.lock();
        let found = data.user_keys.iter().filter_map(|(key, id)| {
            let user = data.users.get(id)?;
            let found = key.starts_with(prefix) || user.display_name.key().starts_with(prefix);
            found.then_some(user)
        });
        Ok(found.take(limit).cloned().collect())
    }

    async fn record_last_seen(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
        if let Some(user) = self.lock().users.get_mut(id) {
            user.last_seen_at = user.last_seen_at.max(Some(to_microsecond(at)));
        }
        self.lock().visits.remove(id);
        Ok(())
    }

    async fn choose_presence(&self, id: &UserId, status: PresenceStatus) -> Result<(), StoreError> {
        let mut data = self.lock();
        if data.users.contains_key(id) {
            data.chosen.insert(id.clone(), status);
        }
        Ok(())
    }
}
