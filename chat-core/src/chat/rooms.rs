use std::sync::Arc;

use chat_proto::{
    ChangeEvent, Conversation, ConversationId, ConversationKind, ConversationSummary,
    ConversationTarget, CreateRoom, Cursor, MemberProfile, Operation, Page, RoomName, UserId,
    Visibility,
};
use jiff::Timestamp;

use super::conversations::{TOO_MANY_MEMBERSHIPS, as_opened};
use super::{Actor, Chat};
use crate::access::Action;
use crate::error::ChatError;
use crate::store::{JoinOutcome, LeaveOutcome, NewRoom, OpenOutcome, RoomPosition};

impl Chat {
    /// Makes a room, with the actor as its owner.
    ///
    /// # Errors
    ///
    /// [`ChatError::Field`] when a direct conversation is asked for, [`ChatError::RateLimited`],
    /// [`ChatError::TooMany`] when the actor is a member of as many conversations as allowed, or a
    /// failure of the store.
    pub async fn create_room(
        &self,
        actor: &Actor,
        room: CreateRoom,
    ) -> Result<ConversationSummary, ChatError> {
        if room.kind.is_some_and(|kind| kind != ConversationKind::Room) {
            let reason = "kind must be room: a direct conversation is opened";
            return Err(ChatError::Field { name: "kind", reason });
        }
        let turn = self.begin_write(actor, Operation::ConversationCreate).await?;
        self.count_opening(actor).await?;
        let (chat, room) = (self.clone(), self.new_room(actor, room));
        let making = async move {
            let _turn = turn;
            chat.make_room(room).await
        };
        let made = self.whole(making).await?;
        let made = made.ok_or(TOO_MANY_MEMBERSHIPS)?;
        // It is made, whether or not it can be read in this moment.
        match self.own_summary(actor, made.id).await {
            Ok(summary) => Ok(summary),
            Err(_) => Ok(as_opened(made, 1, None)),
        }
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
        let turn = self.begin_write(actor, Operation::ConversationJoin).await?;
        let id = match (target.conversation_id, &target.name) {
            (Some(id), _) => id,
            (None, Some(name)) => self.room_by_name(actor, name).await?,
            (None, None) => {
                let reason = "name a room by conversationId or name";
                return Err(ChatError::Field { name: "name", reason });
            }
        };
        let (chat, joining) = (self.clone(), actor.clone());
        let joining = async move {
            let _turn = turn;
            chat.join_as_member(&joining, id).await
        };
        match self.whole(joining).await? {
            // What is answered was read with the join: nothing that comes after it, be it a leaving
            // or a store that goes away, makes it a failure.
            JoinOutcome::Joined(_, summary) | JoinOutcome::Already(_, summary) => Ok(*summary),
            // A member of a conversation that cannot be joined need not be told that it is hidden.
            JoinOutcome::NotJoinable => self.own_summary(actor, id).await,
            JoinOutcome::TooMany => Err(TOO_MANY_MEMBERSHIPS),
        }
    }

    /// Leaves a room. When its only owner leaves, the member who joined first owns it.
    ///
    /// The last member leaves only with `confirm`: a private room is then out of everybody's reach, and
    /// a public one belongs to whoever joins it next.
    ///
    /// # Errors
    ///
    /// [`ChatError::RateLimited`], [`ChatError::NotFound`] when there is none or the actor is not a
    /// member, [`ChatError::Forbidden`] for a direct conversation, [`ChatError::LastMember`] when the actor is
    /// the last member and does not `confirm`, or a failure of the store.
    pub async fn leave_room(
        &self,
        actor: &Actor,
        id: ConversationId,
        confirm: bool,
    ) -> Result<(), ChatError> {
        let turn = self.begin_write(actor, Operation::ConversationLeave).await?;
        self.authorise(Action::Leave, actor, id).await?;
        let (chat, actor) = (self.clone(), actor.clone());
        let leaving = async move {
            let _turn = turn;
            chat.leave_as_member(&actor, id, confirm).await
        };
        self.whole(leaving).await
    }

    fn new_room(&self, actor: &Actor, room: CreateRoom) -> NewRoom {
        NewRoom {
            id: ConversationId::generate(),
            name: room.name,
            topic: room.topic,
            visibility: room.visibility.unwrap_or(Visibility::Public),
            owner: actor.user_id.clone(),
            created_at: Timestamp::now(),
            max_memberships: self.engine.config.limits.memberships_per_user,
        }
    }

    /// Makes a room and has it appear to its owner; none when the owner has enough.
    async fn make_room(&self, room: NewRoom) -> Result<Option<Conversation>, ChatError> {
        let owner = room.owner.clone();
        let made = self.within(self.engine.shown.conversations.create_room(room)).await?;
        self.appear_if_made(&owner, &made);
        Ok(made.conversation())
    }

    fn appear_if_made(&self, owner: &UserId, made: &OpenOutcome) {
        if let OpenOutcome::Created(room) = made {
            self.engine.router.appear(owner, room.id, 1);
        }
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
        if let JoinOutcome::Joined(profile, summary) = &outcome {
            self.announce_joined(actor, profile.clone());
            self.introduce(id, &actor.user_id, summary.conversation.member_count);
        }
        Ok(outcome)
    }

    async fn leave_as_member(
        &self,
        actor: &Actor,
        id: ConversationId,
        confirm: bool,
    ) -> Result<(), ChatError> {
        let leaving = self.engine.shown.members.leave(id, &actor.user_id, confirm);
        match self.within(leaving).await? {
            LeaveOutcome::Left { member, heir } => {
                // Who has left does not stop typing after that.
                self.leave_typing(id, &actor.user_id);
                let router = &self.engine.router;
                if let Some(heir) = heir {
                    let change = ChangeEvent::MemberUpdated {
                        conversation_id: id,
                        change_seq: heir.member.change_seq,
                        member: *heir,
                    };
                    router.announce(change, actor.origin());
                }
                let change_seq = member.member.change_seq;
                let change = ChangeEvent::MemberLeft { conversation_id: id, change_seq, member };
                router.announce(change, actor.origin());
                // Once that is told, nothing of the room reaches the user's devices here any more.
                router.tell_here(id, change_seq).await;
                Ok(())
            }
            LeaveOutcome::LastMember => Err(ChatError::LastMember),
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
        let room = CreateRoom { kind: None, name: name.clone(), topic: None, visibility: None };
        let (chat, room) = (self.clone(), self.new_room(actor, room));
        let found = self.whole(async move {
            let owner = room.owner.clone();
            let making = chat.engine.shown.conversations.find_or_create_room(room);
            let made = chat.within(making).await?;
            chat.appear_if_made(&owner, &made);
            Ok(made.conversation())
        });
        found.await?.map(|room| room.id).ok_or(TOO_MANY_MEMBERSHIPS)
    }

    /// Tells the members of a room of a newcomer who is online, together with whoever else joins now.
    fn introduce(&self, room: ConversationId, newcomer: &UserId, members: u64) {
        let presence = &self.engine.presence;
        if presence.note_newcomer(room, newcomer, members) {
            let presence = Arc::clone(presence);
            self.engine.tasks.spawn("presence.newcomers", async move {
                presence.introduce_newcomers().await;
            });
        }
    }

    fn announce_joined(&self, actor: &Actor, member: MemberProfile) {
        let (conversation_id, change_seq) =
            (member.member.conversation_id, member.member.change_seq);
        let router = &self.engine.router;
        router.appear(&actor.user_id, conversation_id, change_seq);
        let change = ChangeEvent::MemberJoined { conversation_id, change_seq, member };
        router.announce(change, actor.origin());
    }

    /// Counts a conversation that the actor is about to make. How many memberships the actor may have
    /// is decided by the transaction that adds one.
    pub(super) async fn count_opening(&self, actor: &Actor) -> Result<(), ChatError> {
        let counted = self.engine.openings.check(&actor.user_id).await;
        counted.map_err(|retry_after| ChatError::RateLimited { retry_after })
    }
}
