use async_trait::async_trait;
use chat_proto::{ConversationId, UserId};

use super::MemoryStore;
use crate::store::{CursorAdvance, CursorKind, CursorStore, StoreError};

#[async_trait]
impl CursorStore for MemoryStore {
    async fn advance(
        &self,
        conversation: ConversationId,
        user: &UserId,
        kind: CursorKind,
        seq: Option<u64>,
    ) -> Result<Option<CursorAdvance>, StoreError> {
        let mut data = self.lock();
        let Some((record, entry)) = data.joined(conversation, user) else { return Ok(None) };
        let from = match kind {
            CursorKind::Read => entry.read_seq,
            CursorKind::Delivered => entry.delivered_seq,
        };
        let to = seq.unwrap_or(u64::MAX).min(record.last_seq()).max(from);
        let read_seq = if kind == CursorKind::Read { to } else { entry.read_seq };
        let delivered_seq = entry.delivered_seq.max(to);
        let passed = record
            .after(from)
            .take_while(|message| message.seq <= to)
            .filter(|message| message.sender_id != *user)
            .count() as u64;
        let (unread, unread_mentions) = record.unread(user, read_seq);
        let counted_through = record.last_seq();
        if let Some(entry) = data
            .conversations
            .get_mut(&conversation)
            .and_then(|record| record.members.get_mut(user))
        {
            (entry.read_seq, entry.delivered_seq) = (read_seq, delivered_seq);
        }
        Ok(Some(CursorAdvance { from, to, passed, unread, unread_mentions, counted_through }))
    }
}
