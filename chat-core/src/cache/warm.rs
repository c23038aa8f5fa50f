use super::CachedStore;
use crate::store::StoreError;

/// Heads asked for in one call of the store.
const CHUNK: usize = 500;

impl CachedStore {
    /// Reads the conversations of the latest messages, as many as [configured](super::CacheConfig),
    /// and their heads: what is likely to be asked for next. Returns how many there were.
    ///
    /// # Errors
    ///
    /// A failure of the store. What was read until then is kept.
    pub async fn warm(&self) -> Result<usize, StoreError> {
        if self.warm == 0 {
            return Ok(0);
        }
        let mark = self.freshness.mark();
        let recent = self.store.recent(self.warm).await?;
        let ids: Vec<_> = recent.iter().map(|conversation| conversation.id).collect();
        for conversation in recent {
            let id = conversation.id;
            self.conversations.keep(id, self.conversation_record(conversation), mark);
        }
        for ids in ids.chunks(CHUNK) {
            let mark = self.freshness.mark();
            for head in self.store.heads(ids).await? {
                self.heads.keep(head.conversation_id, self.head(head), mark);
            }
        }
        Ok(ids.len())
    }
}
