use async_trait::async_trait;
use chat_core::proto::{Conversation, ConversationId, MemberRole, UserId};
use chat_core::store::{
    ConversationStore, NewDirect, NewRoom, OpenOutcome, RoomPosition, StoreError,
};
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::SqliteStore;
use super::member::{add_member, count_chosen};
use crate::failure::Failure;
use crate::record::{
    conversation_columns, direct_conversation, read_all, read_conversation, read_optional,
    room_conversation,
};
use crate::value::{integer, pair, word};

const BY_ID: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    " FROM chat_conversation c JOIN chat_head h ON h.conversation_id = c.id WHERE c.id = ?1"
);

pub(super) const BY_NAME: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    " FROM chat_conversation c JOIN chat_head h ON h.conversation_id = c.id
      WHERE c.kind = 'room' AND c.visibility = 'public' AND c.name_key = ?1
      ORDER BY c.created_at, c.id LIMIT 1"
);

pub(super) const PUBLIC_ROOMS: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    " FROM chat_conversation c JOIN chat_head h ON h.conversation_id = c.id
      WHERE c.kind = 'room' AND c.visibility = 'public' AND (c.name_key, c.id) > (?1, ?2)
      ORDER BY c.name_key, c.id LIMIT +?3"
);

const BY_PAIR: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    " FROM chat_direct d
      JOIN chat_conversation c ON c.id = d.conversation_id
      JOIN chat_head h ON h.conversation_id = c.id
      WHERE d.lesser_user_id = ?1 AND d.greater_user_id = ?2"
);

/// Of the latest messages, the conversations. How many messages are looked at bounds the work.
pub(super) const RECENT: &str = concat!(
    "WITH latest AS MATERIALIZED (
       SELECT conversation_id, id FROM chat_message ORDER BY id DESC LIMIT 4096),
     page AS MATERIALIZED (
       SELECT conversation_id, max(id) AS latest_id FROM latest
       GROUP BY conversation_id ORDER BY latest_id DESC LIMIT +?1)
     SELECT ",
    conversation_columns!(),
    " FROM page
      JOIN chat_conversation c ON c.id = page.conversation_id
      JOIN chat_head h ON h.conversation_id = page.conversation_id
      ORDER BY page.latest_id DESC"
);

#[async_trait]
impl ConversationStore for SqliteStore {
    async fn open_direct(&self, direct: NewDirect) -> Result<OpenOutcome, StoreError> {
        let known = find_direct(&mut *self.reader().await?, &direct.opener, &direct.peer).await?;
        if let Some(conversation) = known {
            return Ok(OpenOutcome::Existing(conversation));
        }
        let activity = self.activity.next(1).await?;
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move { open_direct(connection, direct, activity).await })
        });
        Ok(outcome.await?)
    }

    async fn direct(&self, a: &UserId, b: &UserId) -> Result<Option<Conversation>, StoreError> {
        Ok(find_direct(&mut *self.reader().await?, a, b).await?)
    }

    async fn create_room(&self, room: NewRoom) -> Result<OpenOutcome, StoreError> {
        let activity = self.activity.next(1).await?;
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move { create_room(connection, room, activity).await })
        });
        Ok(outcome.await?)
    }

    async fn find_or_create_room(&self, room: NewRoom) -> Result<OpenOutcome, StoreError> {
        let key = room.name.key();
        if let Some(conversation) = self.room_by_name(&key).await? {
            return Ok(OpenOutcome::Existing(conversation));
        }
        let activity = self.activity.next(1).await?;
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move {
                if let Some(conversation) = find_by_name(connection, &key).await? {
                    return Ok(OpenOutcome::Existing(conversation));
                }
                create_room(connection, room, activity).await
            })
        });
        Ok(outcome.await?)
    }

    async fn room_by_name(&self, key: &str) -> Result<Option<Conversation>, StoreError> {
        Ok(find_by_name(&mut *self.reader().await?, key).await?)
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        let query = sqlx::query(BY_ID).bind(id.as_uuid());
        let row = query.fetch_optional(&self.readers).await.map_err(Failure::from)?;
        Ok(read_optional(row.as_ref(), read_conversation)?)
    }

    async fn public_rooms(
        &self,
        after: Option<RoomPosition>,
        limit: usize,
    ) -> Result<Vec<Conversation>, StoreError> {
        // No room's key is empty, so this position comes before all.
        let (key, id) =
            after.map_or((String::new(), Uuid::nil()), |after| (after.key, after.id.as_uuid()));
        let query = sqlx::query(PUBLIC_ROOMS).bind(key).bind(id).bind(integer(limit));
        let rows = query.fetch_all(&self.readers).await.map_err(Failure::from)?;
        Ok(read_all(&rows, read_conversation)?)
    }

    async fn recent(&self, limit: usize) -> Result<Vec<Conversation>, StoreError> {
        let rows = sqlx::query(RECENT).bind(integer(limit)).fetch_all(&self.readers).await;
        let rows = rows.map_err(Failure::from)?;
        Ok(read_all(&rows, read_conversation)?)
    }
}

async fn open_direct(
    connection: &mut SqliteConnection,
    direct: NewDirect,
    activity: i64,
) -> Result<OpenOutcome, Failure> {
    let NewDirect { id, opener, peer, created_at, .. } = &direct;
    if let Some(conversation) = find_direct(connection, opener, peer).await? {
        return Ok(OpenOutcome::Existing(conversation));
    }
    if count_chosen(connection, opener).await? >= direct.max_memberships as u64 {
        return Ok(OpenOutcome::TooMany);
    }
    let conversation = direct_conversation(&direct);
    insert(connection, &conversation, activity).await?;
    let (lesser, greater) = pair(opener, peer);
    sqlx::query(
        "INSERT INTO chat_direct (lesser_user_id, greater_user_id, conversation_id)
         VALUES (?1, ?2, ?3)",
    )
    .bind(lesser.as_str())
    .bind(greater.as_str())
    .bind(id.as_uuid())
    .execute(&mut *connection)
    .await?;
    for user in [opener, peer] {
        add_member(connection, *id, user, MemberRole::Member, *created_at).await?;
    }
    Ok(OpenOutcome::Created(conversation))
}

async fn create_room(
    connection: &mut SqliteConnection,
    room: NewRoom,
    activity: i64,
) -> Result<OpenOutcome, Failure> {
    if count_chosen(connection, &room.owner).await? >= room.max_memberships as u64 {
        return Ok(OpenOutcome::TooMany);
    }
    let created_at = room.created_at;
    let conversation = room_conversation(room);
    insert(connection, &conversation, activity).await?;
    let owner = &conversation.created_by;
    add_member(connection, conversation.id, owner, MemberRole::Owner, created_at).await?;
    Ok(OpenOutcome::Created(conversation))
}

/// Records a conversation and its head, without members.
async fn insert(
    connection: &mut SqliteConnection,
    conversation: &Conversation,
    activity: i64,
) -> Result<(), Failure> {
    let id = conversation.id.as_uuid();
    let created_at = conversation.created_at.as_microsecond();
    sqlx::query(
        "INSERT INTO chat_conversation
           (id, kind, visibility, name, name_key, topic, created_by, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .bind(id)
    .bind(word(conversation.kind)?)
    .bind(word(conversation.visibility)?)
    .bind(conversation.name.as_ref().map(|name| name.as_str()))
    .bind(conversation.name.as_ref().map(|name| name.key()))
    .bind(conversation.topic.as_ref().map(|topic| topic.as_str()))
    .bind(conversation.created_by.as_str())
    .bind(created_at)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO chat_head
           (conversation_id, last_seq, change_seq, member_count, last_activity_at, activity)
         VALUES (?1, 0, 0, 0, ?2, ?3)",
    )
    .bind(id)
    .bind(created_at)
    .bind(activity)
    .execute(connection)
    .await?;
    Ok(())
}

async fn find_direct(
    connection: &mut SqliteConnection,
    one: &UserId,
    other: &UserId,
) -> Result<Option<Conversation>, Failure> {
    let (lesser, greater) = pair(one, other);
    let query = sqlx::query(BY_PAIR).bind(lesser.as_str()).bind(greater.as_str());
    let row = query.fetch_optional(connection).await?;
    read_optional(row.as_ref(), read_conversation)
}

async fn find_by_name(
    connection: &mut SqliteConnection,
    key: &str,
) -> Result<Option<Conversation>, Failure> {
    let row = sqlx::query(BY_NAME).bind(key).fetch_optional(connection).await?;
    read_optional(row.as_ref(), read_conversation)
}
