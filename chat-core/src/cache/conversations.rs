use async_trait::async_trait;
use chat_proto::{Conversation, ConversationId, UserId};

use super::CachedStore;
use super::generations::Topic;
use super::shelf::Answer;
use crate::store::{ConversationStore, NewDirect, NewRoom, OpenOutcome, RoomPosition, StoreError};

#[async_trait]
impl ConversationStore for CachedStore {
    async fn open_direct(&self, direct: NewDirect) -> Result<OpenOutcome, StoreError> {
        let _writing = self.writing([
            Topic::Members(direct.id),
            Topic::Changes(direct.id),
            Topic::Inbox(&direct.opener),
            Topic::Inbox(&direct.peer),
        ]);
        self.store.open_direct(direct.clone()).await
    }

    async fn direct(&self, a: &UserId, b: &UserId) -> Result<Option<Conversation>, StoreError> {
        self.store.direct(a, b).await
    }

    async fn create_room(&self, room: NewRoom) -> Result<OpenOutcome, StoreError> {
        let _writing = self.writing(made(&room));
        self.store.create_room(room.clone()).await
    }

    async fn find_or_create_room(&self, room: NewRoom) -> Result<OpenOutcome, StoreError> {
        let _writing = self.writing(made(&room));
        self.store.find_or_create_room(room.clone()).await
    }

    async fn room_by_name(&self, key: &str) -> Result<Option<Conversation>, StoreError> {
        self.store.room_by_name(key).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        let read = async {
            let found = self.store.conversation(id).await?;
            Ok(found.map(|conversation| self.conversation_record(conversation)))
        };
        self.conversations.get_or_read(id, read).await
    }

    async fn public_rooms(
        &self,
        after: Option<RoomPosition>,
        limit: usize,
    ) -> Result<Vec<Conversation>, StoreError> {
        self.store.public_rooms(after, limit).await
    }

    async fn recent(&self, limit: usize) -> Result<Vec<Conversation>, StoreError> {
        self.store.recent(limit).await
    }
}

impl CachedStore {
    pub(super) fn conversation_record(&self, conversation: Conversation) -> Answer<Conversation> {
        Answer { depends_on: self.slots([Topic::Members(conversation.id)]), value: conversation }
    }
}

/// What a new room changes.
fn made(room: &NewRoom) -> [Topic<'_>; 3] {
    [Topic::Members(room.id), Topic::Changes(room.id), Topic::Inbox(&room.owner)]
}
