use chat_proto::{
    Conversation, ConversationId, ConversationSummary, Cursor, MemberProfile, Operation, Page,
    PeerTarget, User, UserId,
};
use jiff::Timestamp;

use super::{Actor, Chat};
use crate::access::Action;
use crate::error::ChatError;
use crate::store::{InboxPosition, NewDirect, OpenOutcome, UnreadTotal};

pub(super) const TOO_MANY_MEMBERSHIPS: ChatError =
    ChatError::TooMany("you are a member of as many conversations as allowed: leave one first");

impl Chat {
    /// The direct conversation with another user, made on first use.
    ///
    /// # Errors
    ///
    /// [`ChatError::Field`] when no user is named, [`ChatError::NotFound`] when there is no such
    /// user, [`ChatError::SelfConversation`], [`ChatError::RateLimited`], and where it has to be made
    /// [`ChatError::TooMany`]; or a failure of the store.
    pub async fn open_direct(
        &self,
        actor: &Actor,
        peer: &PeerTarget,
    ) -> Result<ConversationSummary, ChatError> {
        let _turn = self.begin_read(actor, Operation::ConversationOpen).await?;
        let peer = match (&peer.user_id, &peer.username) {
            (Some(id), _) => self.user(id).await?,
            (None, Some(name)) => self.user_by_name(name).await?,
            (None, None) => {
                let reason = "name a user by userId or username";
                return Err(ChatError::Field { name: "username", reason });
            }
        };
        if peer.id == actor.user_id {
            return Err(ChatError::SelfConversation);
        }
        let stores = &self.engine.stores;
        let known = self.within(stores.conversations.direct(&actor.user_id, &peer.id)).await?;
        if let Some(known) = known {
            // Nobody leaves a direct conversation, so the right to see it is decided.
            return self.summary(actor, known.id).await;
        }
        self.count_opening(actor).await?;
        let direct = NewDirect {
            id: ConversationId::generate(),
            opener: actor.user_id.clone(),
            peer: peer.id.clone(),
            created_at: Timestamp::now(),
            max_memberships: self.engine.config.limits.memberships_per_user,
        };
        let chat = self.clone();
        match self.whole(async move { chat.open_for_both(direct).await }).await? {
            OpenOutcome::Existing(known) => self.summary(actor, known.id).await,
            // It is made, whether or not it can be read in this moment.
            OpenOutcome::Created(made) => match self.own_summary(actor, made.id).await {
                Ok(summary) => Ok(summary),
                Err(_) => Ok(as_opened(made, 2, Some(peer))),
            },
            OpenOutcome::TooMany => Err(TOO_MANY_MEMBERSHIPS),
        }
    }

    /// Opens a direct conversation and has it appear to both.
    async fn open_for_both(&self, direct: NewDirect) -> Result<OpenOutcome, ChatError> {
        let (opener, peer) = (direct.opener.clone(), direct.peer.clone());
        let opened = self.within(self.engine.shown.conversations.open_direct(direct)).await?;
        if let OpenOutcome::Created(conversation) = &opened {
            let router = &self.engine.router;
            router.appear(&opener, conversation.id, 1);
            router.appear(&peer, conversation.id, 2);
        }
        Ok(opened)
    }

    /// One conversation, as the actor sees it.
    ///
    /// # Errors
    ///
    /// [`ChatError::RateLimited`], [`ChatError::NotFound`] when there is none or the actor is not a
    /// member, or a failure of the store.
    pub async fn conversation(
        &self,
        actor: &Actor,
        id: ConversationId,
    ) -> Result<ConversationSummary, ChatError> {
        let _turn = self.begin_read(actor, Operation::ConversationShow).await?;
        self.own_summary(actor, id).await
    }

    /// The same as a part of another operation.
    pub(crate) async fn own_summary(
        &self,
        actor: &Actor,
        id: ConversationId,
    ) -> Result<ConversationSummary, ChatError> {
        let found = self.within(self.engine.stores.inbox.summary(&actor.user_id, id)).await?;
        found.ok_or(ChatError::NotFound)
    }

    /// One conversation that the actor is known to be a member of.
    async fn summary(
        &self,
        actor: &Actor,
        id: ConversationId,
    ) -> Result<ConversationSummary, ChatError> {
        let found = self.within(self.engine.shown.inbox.summary(&actor.user_id, id)).await?;
        found.ok_or(ChatError::NotFound)
    }

    /// The actor's conversations, the most recently active first.
    ///
    /// # Errors
    ///
    /// [`ChatError::PageTooLarge`], [`ChatError::Cursor`], [`ChatError::RateLimited`], or a failure of
    /// the store.
    pub async fn conversations(
        &self,
        actor: &Actor,
        cursor: Option<&Cursor>,
        limit: Option<usize>,
    ) -> Result<Page<ConversationSummary>, ChatError> {
        let _turn = self.begin_read(actor, Operation::ConversationList).await?;
        let limit = self.page_size(limit)?;
        let after = cursor.map(Cursor::decode).transpose()?;
        let inbox = &self.engine.shown.inbox;
        let found = self.within(inbox.summaries(&actor.user_id, after, limit + 1)).await?;
        Ok(inbox_page(found, limit))
    }

    /// The members of a conversation.
    ///
    /// # Errors
    ///
    /// [`ChatError::NotFound`] when there is none or the actor is not a member,
    /// [`ChatError::PageTooLarge`], [`ChatError::Cursor`], [`ChatError::RateLimited`], or a failure of
    /// the store.
    pub async fn members(
        &self,
        actor: &Actor,
        id: ConversationId,
        cursor: Option<&Cursor>,
        limit: Option<usize>,
    ) -> Result<Page<MemberProfile>, ChatError> {
        let _turn = self.begin_read(actor, Operation::ConversationMembers).await?;
        let limit = self.page_size(limit)?;
        let after: Option<UserId> = cursor.map(Cursor::decode).transpose()?;
        self.authorise(Action::View, actor, id).await?;
        let members = &self.engine.shown.members;
        let found = self.within(members.members(id, after.as_ref(), limit + 1)).await?;
        Ok(members_page(found, limit))
    }

    /// The first page of the members of a conversation that is told to one of them.
    pub(crate) async fn first_members(
        &self,
        id: ConversationId,
    ) -> Result<Page<MemberProfile>, ChatError> {
        let limit = self.page_size(None)?;
        let reading = self.engine.shown.members.members(id, None, limit + 1);
        Ok(members_page(self.within(reading).await?, limit))
    }

    /// What the actor has not read, in all conversations.
    ///
    /// # Errors
    ///
    /// [`ChatError::RateLimited`], or a failure of the store.
    pub async fn unread(&self, actor: &Actor) -> Result<UnreadTotal, ChatError> {
        let _turn = self.begin_read(actor, Operation::UnreadCount).await?;
        self.within(self.engine.shown.inbox.unread_total(&actor.user_id)).await
    }
}

fn members_page(overfull: Vec<MemberProfile>, limit: usize) -> Page<MemberProfile> {
    Page::from_overfull(overfull, limit, |profile| profile.member.user_id.clone())
}

/// A conversation as whoever opened it sees it in the moment in which it is made: its members have
/// joined, and nothing was said. Its place in the list is not known, since it could not be read.
pub(super) fn as_opened(
    conversation: Conversation,
    change_seq: u64,
    peer: Option<User>,
) -> ConversationSummary {
    let beginning = peer.as_ref().map(|_| 0);
    ConversationSummary {
        conversation_id: conversation.id,
        last_activity_at: conversation.created_at,
        activity: 0,
        conversation,
        peer,
        last_seq: 0,
        change_seq,
        read_seq: 0,
        delivered_seq: 0,
        peer_read_seq: beginning,
        peer_delivered_seq: beginning,
        unread: 0,
        unread_mentions: 0,
        preview: None,
    }
}

/// A page of a user's list, from its conversations and one more.
pub(crate) fn inbox_page(
    overfull: Vec<ConversationSummary>,
    limit: usize,
) -> Page<ConversationSummary> {
    Page::from_overfull(overfull, limit, InboxPosition::of)
}
