use async_trait::async_trait;
use chat_core::proto::{Conversation, ConversationId, MemberRole, UserId};
use chat_core::store::{
    ConversationStore, NewDirect, NewRoom, OpenOutcome, RoomPosition, StoreError,
};
use uuid::Uuid;

use super::PostgresStore;
use super::member::{add_member, may_add};
use super::server::Repeat;
use super::session::Session;
use super::statement::{Statement, is_storable, sql};
use crate::failure::Failure;
use crate::record::{
    conversation_columns, direct_conversation, read_all, read_conversation, read_optional,
    room_conversation,
};
use crate::value::{integer, pair, word};

pub(super) const BY_ID: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    " FROM chat_conversation c JOIN chat_head h ON h.conversation_id = c.id WHERE c.id = $1"
);

pub(super) const BY_NAME: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    " FROM chat_conversation c JOIN chat_head h ON h.conversation_id = c.id
      WHERE c.kind = 'room' AND c.visibility = 'public' AND c.name_key = $1
      ORDER BY c.created_at, c.id LIMIT 1"
);

pub(super) const PUBLIC_ROOMS: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    " FROM chat_conversation c JOIN chat_head h ON h.conversation_id = c.id
      WHERE c.kind = 'room' AND c.visibility = 'public' AND (c.name_key, c.id) > ($1, $2)
      ORDER BY c.name_key, c.id LIMIT $3"
);

pub(super) const BY_PAIR: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    " FROM chat_direct d
      JOIN chat_conversation c ON c.id = d.conversation_id
      JOIN chat_head h ON h.conversation_id = c.id
      WHERE d.lesser_user_id = $1 AND d.greater_user_id = $2"
);

/// Of the latest messages, the conversations. How many messages are looked at bounds the work.
pub(super) const RECENT: &str = concat!(
    "WITH latest AS (
       SELECT conversation_id, row_number() OVER (ORDER BY id DESC) AS age
       FROM (SELECT conversation_id, id FROM chat_message ORDER BY id DESC LIMIT 4096) m),
     page AS (
       SELECT conversation_id, min(age) AS age FROM latest
       GROUP BY conversation_id ORDER BY age LIMIT $1)
     SELECT ",
    conversation_columns!(),
    " FROM page
      JOIN chat_conversation c ON c.id = page.conversation_id
      JOIN chat_head h ON h.conversation_id = page.conversation_id
      ORDER BY page.age"
);

#[async_trait]
impl ConversationStore for PostgresStore {
    async fn open_direct(&self, direct: NewDirect) -> Result<OpenOutcome, StoreError> {
        if let Some(conversation) = self.direct(&direct.opener, &direct.peer).await? {
            return Ok(OpenOutcome::Existing(conversation));
        }
        let outcome = self.primary.write(Repeat::Harmful, move |session| {
            let direct = direct.clone();
            Box::pin(async move { open_direct(session, direct).await })
        });
        Ok(outcome.await?)
    }

    async fn direct(&self, a: &UserId, b: &UserId) -> Result<Option<Conversation>, StoreError> {
        Ok(read_optional(self.primary.row(by_pair(a, b)).await?.as_ref(), read_conversation)?)
    }

    async fn create_room(&self, room: NewRoom) -> Result<OpenOutcome, StoreError> {
        let outcome = self.primary.write(Repeat::Harmful, move |session| {
            let room = room.clone();
            Box::pin(async move { create_room(session, room).await })
        });
        Ok(outcome.await?)
    }

    async fn find_or_create_room(&self, room: NewRoom) -> Result<OpenOutcome, StoreError> {
        let key = room.name.key();
        if let Some(conversation) = self.room_by_name(&key).await? {
            return Ok(OpenOutcome::Existing(conversation));
        }
        let outcome = self.primary.write(Repeat::Harmful, move |session| {
            let (key, room) = (key.clone(), room.clone());
            Box::pin(async move {
                lock_name(session, "room", &key).await?;
                let row = session.row(sql(BY_NAME).bind(key)).await?;
                if let Some(conversation) = read_optional(row.as_ref(), read_conversation)? {
                    return Ok(OpenOutcome::Existing(conversation));
                }
                create_room(session, room).await
            })
        });
        Ok(outcome.await?)
    }

    async fn room_by_name(&self, key: &str) -> Result<Option<Conversation>, StoreError> {
        if !is_storable(key) {
            return Ok(None);
        }
        let row = self.primary.row(sql(BY_NAME).bind(key)).await?;
        Ok(read_optional(row.as_ref(), read_conversation)?)
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        let row = self.primary.row(sql(BY_ID).bind(id.as_uuid())).await?;
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
        // No room has such a key, so the place is the one after all rooms of what is before it.
        let (key, id) = match key.split_once('\0') {
            Some((before, _)) => (before.to_owned(), Uuid::max()),
            None => (key, id),
        };
        let rooms = sql(PUBLIC_ROOMS).bind(key).bind(id).bind(integer(limit));
        Ok(read_all(&self.primary.rows(rooms).await?, read_conversation)?)
    }

    async fn recent(&self, limit: usize) -> Result<Vec<Conversation>, StoreError> {
        let rows = self.primary.rows(sql(RECENT).bind(integer(limit))).await?;
        Ok(read_all(&rows, read_conversation)?)
    }
}

async fn open_direct(session: &mut Session, direct: NewDirect) -> Result<OpenOutcome, Failure> {
    let NewDirect { id, opener, peer, created_at, .. } = &direct;
    let (lesser, greater) = pair(opener, peer);
    // No user id holds a space.
    lock_name(session, "direct", &format!("{lesser} {greater}")).await?;
    let insert_pair = sql("INSERT INTO chat_direct
           (lesser_user_id, greater_user_id, conversation_id) VALUES ($1, $2, $3)")
    .bind(lesser.as_str())
    .bind(greater.as_str())
    .bind(id.as_uuid());
    let row = session.row(by_pair(opener, peer)).await?;
    if let Some(conversation) = read_optional(row.as_ref(), read_conversation)? {
        return Ok(OpenOutcome::Existing(conversation));
    }
    if !may_add(session, opener, direct.max_memberships).await? {
        return Ok(OpenOutcome::TooMany);
    }
    let conversation = direct_conversation(&direct);
    insert(session, &conversation).await?;
    session.execute(insert_pair).await?;
    for user in [opener, peer] {
        add_member(session, *id, user, MemberRole::Member, *created_at).await?;
    }
    Ok(OpenOutcome::Created(conversation))
}

async fn create_room(session: &mut Session, room: NewRoom) -> Result<OpenOutcome, Failure> {
    if !may_add(session, &room.owner, room.max_memberships).await? {
        return Ok(OpenOutcome::TooMany);
    }
    let created_at = room.created_at;
    let conversation = room_conversation(room);
    insert(session, &conversation).await?;
    let owner = &conversation.created_by;
    add_member(session, conversation.id, owner, MemberRole::Owner, created_at).await?;
    Ok(OpenOutcome::Created(conversation))
}

/// Records a conversation and its head, without members.
async fn insert(session: &mut Session, conversation: &Conversation) -> Result<(), Failure> {
    let insert = sql("WITH conversation AS (
           INSERT INTO chat_conversation
             (id, kind, visibility, name, name_key, topic, created_by, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8))
         INSERT INTO chat_head
           (conversation_id, last_seq, change_seq, member_count, last_activity_at)
         VALUES ($1, 0, 0, 0, $8)")
    .bind(conversation.id.as_uuid())
    .bind(word(conversation.kind)?)
    .bind(word(conversation.visibility)?)
    .bind(conversation.name.as_ref().map(|name| name.as_str()))
    .bind(conversation.name.as_ref().map(|name| name.key()))
    .bind(conversation.topic.as_ref().map(|topic| topic.as_str()))
    .bind(conversation.created_by.as_str())
    .bind(conversation.created_at.as_microsecond());
    session.execute(insert).await?;
    Ok(())
}

/// Waits until no other transaction is about to make something of this name. A statement of its
/// own, so that the next one sees what the other has made.
async fn lock_name(session: &mut Session, kind: &str, name: &str) -> Result<(), Failure> {
    let lock = sql("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(format!("chat {kind} {name}"));
    session.execute(lock).await?;
    Ok(())
}

fn by_pair(one: &UserId, other: &UserId) -> Statement {
    let (lesser, greater) = pair(one, other);
    sql(BY_PAIR).bind(lesser.as_str()).bind(greater.as_str())
}
