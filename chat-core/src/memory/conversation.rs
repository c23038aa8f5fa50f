use std::cmp::Reverse;

use async_trait::async_trait;
use chat_proto::{
    Conversation, ConversationId, ConversationKind, MemberRole, RoomName, UserId, Visibility,
};

use super::data::{Data, Record};
use super::{MemoryStore, to_microsecond};
use crate::store::{ConversationStore, NewDirect, NewRoom, OpenOutcome, RoomPosition, StoreError};

#[async_trait]
impl ConversationStore for MemoryStore {
    async fn open_direct(&self, direct: NewDirect) -> Result<OpenOutcome, StoreError> {
        let mut data = self.lock();
        let mut pair = [direct.opener.clone(), direct.peer.clone()];
        pair.sort();
        if let Some(id) = data.pairs.get(&pair) {
            let conversation = data.conversations[id].conversation.clone();
            return Ok(OpenOutcome::Existing(conversation));
        }
        if direct.opener == direct.peer {
            return Err(StoreError::failed("a direct conversation needs two users"));
        }
        data.require_user(&direct.opener)?;
        data.require_user(&direct.peer)?;
        if !data.may_add(&direct.opener, direct.max_memberships) {
            return Ok(OpenOutcome::TooMany);
        }
        let conversation = Conversation {
            id: direct.id,
            kind: ConversationKind::Direct,
            visibility: Visibility::Private,
            name: None,
            topic: None,
            created_by: direct.opener.clone(),
            created_at: to_microsecond(direct.created_at),
            member_count: 0,
        };
        data.insert(conversation)?;
        data.pairs.insert(pair, direct.id);
        for user in [&direct.opener, &direct.peer] {
            data.join(direct.id, user, MemberRole::Member, direct.created_at);
        }
        let conversation = data.conversations[&direct.id].conversation.clone();
        Ok(OpenOutcome::Created(conversation))
    }

    async fn direct(&self, a: &UserId, b: &UserId) -> Result<Option<Conversation>, StoreError> {
        let data = self.lock();
        let mut pair = [a.clone(), b.clone()];
        pair.sort();
        Ok(data.pairs.get(&pair).map(|id| data.conversations[id].conversation.clone()))
    }

    async fn create_room(&self, room: NewRoom) -> Result<OpenOutcome, StoreError> {
        self.lock().create_room(room)
    }

    async fn find_or_create_room(&self, room: NewRoom) -> Result<OpenOutcome, StoreError> {
        let mut data = self.lock();
        if let Some(conversation) = data.room_by_name(&room.name.key()) {
            return Ok(OpenOutcome::Existing(conversation));
        }
        data.create_room(room)
    }

    async fn room_by_name(&self, key: &str) -> Result<Option<Conversation>, StoreError> {
        Ok(self.lock().room_by_name(key))
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        Ok(self.lock().conversations.get(&id).map(|record| record.conversation.clone()))
    }

    async fn public_rooms(
        &self,
        after: Option<RoomPosition>,
        limit: usize,
    ) -> Result<Vec<Conversation>, StoreError> {
        let data = self.lock();
        let mut rooms: Vec<_> = data
            .public_rooms()
            .map(|(name, room)| (RoomPosition { key: name.key(), id: room.id }, room))
            .filter(|(position, _)| after.as_ref().is_none_or(|after| position > after))
            .collect();
        rooms.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(rooms.into_iter().take(limit).map(|(_, room)| room.clone()).collect())
    }

    async fn recent(&self, limit: usize) -> Result<Vec<Conversation>, StoreError> {
        let data = self.lock();
        let latest = |record: &&Record| record.messages.last().map(|message| message.id);
        let mut records: Vec<_> = data.conversations.values().collect();
        records.retain(|record| latest(record).is_some());
        records.sort_by_key(|record| Reverse(latest(record)));
        Ok(records.into_iter().take(limit).map(|record| record.conversation.clone()).collect())
    }
}

impl Data {
    fn insert(&mut self, conversation: Conversation) -> Result<(), StoreError> {
        if self.conversations.contains_key(&conversation.id) {
            return Err(StoreError::failed("there is a conversation with this id"));
        }
        let activity = self.next_activity();
        self.conversations.insert(conversation.id, Record::new(conversation, activity));
        Ok(())
    }

    fn create_room(&mut self, room: NewRoom) -> Result<OpenOutcome, StoreError> {
        self.require_user(&room.owner)?;
        if !self.may_add(&room.owner, room.max_memberships) {
            return Ok(OpenOutcome::TooMany);
        }
        self.insert(Conversation {
            id: room.id,
            kind: ConversationKind::Room,
            visibility: room.visibility,
            name: Some(room.name),
            topic: room.topic,
            created_by: room.owner.clone(),
            created_at: to_microsecond(room.created_at),
            member_count: 0,
        })?;
        self.join(room.id, &room.owner, MemberRole::Owner, room.created_at);
        Ok(OpenOutcome::Created(self.conversations[&room.id].conversation.clone()))
    }

    fn public_rooms(&self) -> impl Iterator<Item = (&RoomName, &Conversation)> {
        self.conversations.values().filter_map(|record| {
            let room = &record.conversation;
            let public = room.visibility == Visibility::Public;
            room.name.as_ref().filter(|_| public).map(|name| (name, room))
        })
    }

    fn room_by_name(&self, key: &str) -> Option<Conversation> {
        let named = self.public_rooms().filter(|(name, _)| name.key() == key);
        named.map(|(_, room)| room).min_by_key(|room| (room.created_at, room.id)).cloned()
    }
}
