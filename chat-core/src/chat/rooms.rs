use chat_proto::{
    ChangeEvent, Conversation, ConversationId, ConversationKind, ConversationSummary,
    ConversationTarget, CreateRoom, Cursor, MemberProfile, Operation, Page, RoomName, Visibility,
};
use jiff::Timestamp;

use super::{Actor, Chat};
use crate::access::Action;
use crate::error::ChatError;
use crate::sharded::lock;
use crate::store::{JoinOutcome, LeaveOutcome, NewRoom, RoomPosition};

const TOO_MANY_MEMBERSHIPS: ChatError =
    ChatError::TooMany("you are a member of as many conversations as allowed: leave one first");

impl Chat {
    /// Makes a room, with the actor as its owner.
    ///
    /// # Errors
    ///
    /// [`ChatError::Invalid`] when a direct conversation is asked for, [`ChatError::RateLimited`],
    /// [`ChatError::TooMany`] when the actor is a member of as many conversations as allowed, or a
    /// failure of the store.
    pub async fn create_room(
        &self,
        actor: &Actor,
        room: CreateRoom,
    ) -> Result<ConversationSummary, ChatError> {
        if room.kind.is_some_and(|kind| kind != ConversationKind::Room) {
            return Err(ChatError::Invalid("kind must be room: a direct conversation is opened"));
        }
        let _turn = self.begin_write(actor, Operation::ConversationCreate).await?;
        self.count_opening(actor).await?;
        let room = NewRoom {
            id: ConversationId::generate(),
            name: room.name,
            topic: room.topic,
            visibility: room.visibility.unwrap_or(Visibility::Public),
            owner: actor.user_id.clone(),
            created_at: Timestamp::now(),
        };
        let made = self.within(self.engine.shown.conversations.create_room(room)).await?;
        self.engine.router.appear(&actor.user_id, made.id, 1);
        self.own_summary(actor, made.id).await
    }

    /// Joins a public room. Joining one that the actor is a member of changes nothing.
    ///
    /// # Errors
    ///
    /// [`ChatError::Invalid`] when no room is named, [`ChatError::NotFound`] when there is no such
    /// room or it is not public, [`ChatError::TooMany`] when the actor is a member of as many
    /// conversations as allowed, [`ChatError::RateLimited`], or a failure of the store.
    pub async fn join_room(
        &self,
        actor: &Actor,
        target: &ConversationTarget,
    ) -> Result<ConversationSummary, ChatError> {
        let _turn = self.begin_write(actor, Operation::ConversationJoin).await?;
        let id = match (target.conversation_id, &target.name) {
            (Some(id), _) => id,
            (None, Some(name)) => self.room_by_name(actor, name).await?,
            (None, None) => {
                return Err(ChatError::Invalid("name a room by conversationId or name"));
            }
        };
        let (chat, joining) = (self.clone(), actor.clone());
        match self.whole(async move { chat.join_as_member(&joining, id).await }).await? {
            JoinOutcome::Joined(_) => self.engine.presence.introduce(&actor.user_id).await,
            JoinOutcome::Already(_) => {}
            // A member of a conversation that cannot be joined need not be told that it is hidden.
            JoinOutcome::NotJoinable => return self.own_summary(actor, id).await,
            JoinOutcome::TooMany => {
                return Err(TOO_MANY_MEMBERSHIPS);
            }
        }
        self.own_summary(actor, id).await
    }

    /// Leaves a room.
    ///
    /// # Errors
    ///
    /// [`ChatError::RateLimited`], [`ChatError::NotFound`] when there is none or the actor is not a
    /// member, [`ChatError::Forbidden`] for a direct conversation, or a failure of the store.
    pub async fn leave_room(&self, actor: &Actor, id: ConversationId) -> Result<(), ChatError> {
        let _turn = self.begin_write(actor, Operation::ConversationLeave).await?;
        self.authorise(Action::Leave, actor, id).await?;
        let (chat, actor) = (self.clone(), actor.clone());
        self.whole(async move { chat.leave_as_member(&actor, id).await }).await
    }

    async fn join_as_member(
        &self,
        actor: &Actor,
        id: ConversationId,
    ) -> Result<JoinOutcome, ChatError> {
        let members = &self.engine.shown.members;
        let most = self.engine.config.limits.memberships_per_user;
        let joining = members.join(id, &actor.user_id, Timestamp::now(), most);
        let outcome = self.within(joining).await?;
        if let JoinOutcome::Joined(profile) = &outcome {
            self.announce_joined(actor, profile.clone());
        }
        Ok(outcome)
    }

    async fn leave_as_member(&self, actor: &Actor, id: ConversationId) -> Result<(), ChatError> {
        let leaving = self.engine.shown.members.leave(id, &actor.user_id);
        match self.within(leaving).await? {
            LeaveOutcome::Left(member) => {
                // Who has left does not stop typing after that.
                if lock(&self.engine.typing).leave(id, &actor.user_id) {
                    self.tell_typing_stopped(id, &actor.user_id);
                }
                let change_seq = member.member.change_seq;
                let change = ChangeEvent::MemberLeft { conversation_id: id, change_seq, member };
                let router = &self.engine.router;
                router.announce(change, actor.origin());
                // Once that is told, nothing of the room reaches the user's devices here any more.
                router.tell_here(id, change_seq).await;
                Ok(())
            }
            LeaveOutcome::NotMember => Err(ChatError::NotFound),
        }
    }

    /// The public rooms, in the order of their names, for the actor to look at.
    ///
    /// # Errors
    ///
    /// [`ChatError::PageTooLarge`], [`ChatError::Cursor`], [`ChatError::RateLimited`], or a failure of
    /// the store.
    pub async fn rooms(
        &self,
        actor: &Actor,
        cursor: Option<&Cursor>,
        limit: Option<usize>,
    ) -> Result<Page<Conversation>, ChatError> {
        let _turn = self.begin_read(actor, Operation::RoomList).await?;
        let limit = self.page_size(limit)?;
        let after: Option<RoomPosition> = cursor.map(Cursor::decode).transpose()?;
        let conversations = &self.engine.stores.conversations;
        let found = self.within(conversations.public_rooms(after, limit + 1)).await?;
        Ok(Page::from_overfull(found, limit, |room| RoomPosition {
            key: room.name.as_ref().map(RoomName::key).unwrap_or_default(),
            id: room.id,
        }))
    }

    /// The oldest public room of a name; made, where that is turned on, if there is none.
    async fn room_by_name(
        &self,
        actor: &Actor,
        name: &RoomName,
    ) -> Result<ConversationId, ChatError> {
        let conversations = &self.engine.stores.conversations;
        if let Some(room) = self.within(conversations.room_by_name(&name.key())).await? {
            return Ok(room.id);
        }
        if !self.engine.config.create_rooms_on_join {
            return Err(ChatError::NotFound);
        }
        self.count_opening(actor).await?;
        let room = NewRoom {
            id: ConversationId::generate(),
            name: name.clone(),
            topic: None,
            visibility: Visibility::Public,
            owner: actor.user_id.clone(),
            created_at: Timestamp::now(),
        };
        let making = self.engine.shown.conversations.find_or_create_room(room);
        let opened = self.within(making).await?;
        if opened.created {
            self.engine.router.appear(&actor.user_id, opened.conversation.id, 1);
        }
        Ok(opened.conversation.id)
    }

    fn announce_joined(&self, actor: &Actor, member: MemberProfile) {
        let (conversation_id, change_seq) =
            (member.member.conversation_id, member.member.change_seq);
        let router = &self.engine.router;
        router.appear(&actor.user_id, conversation_id, change_seq);
        let change = ChangeEvent::MemberJoined { conversation_id, change_seq, member };
        router.announce(change, actor.origin());
    }

    /// Counts a conversation that the actor is about to make.
    ///
    /// The number of memberships is looked at before, not in the transaction: the rate limit keeps
    /// what slips through at once to a handful.
    pub(super) async fn count_opening(&self, actor: &Actor) -> Result<(), ChatError> {
        let chosen = self.within(self.engine.stores.members.chosen(&actor.user_id)).await?;
        if chosen >= self.engine.config.limits.memberships_per_user {
            return Err(TOO_MANY_MEMBERSHIPS);
        }
        let counted = self.engine.openings.check(&actor.user_id).await;
        counted.map_err(|retry_after| ChatError::RateLimited { retry_after })
    }
}
