use std::time::Duration;

use chat_proto::{ConversationId, Operation, PresenceEntry, PresenceStatus, SignalEvent, UserId};
use tokio::time::Instant;

use super::{Actor, Chat, Engine};
use crate::error::ChatError;
use crate::sharded::lock;
use crate::typing::TypingTable;
use crate::within::within;

/// How long the store may take to confirm what the hub knows.
const GLANCE: Duration = Duration::from_millis(500);

impl Chat {
    /// Shows the actor as typing, for `limits.typing_expiry_ms` or until the next message.
    ///
    /// Others are told of the first few turns from typing to not typing at once, and then of two
    /// each second at most, of which the last is the truth.
    ///
    /// # Errors
    ///
    /// [`ChatError::RateLimited`], [`ChatError::NotFound`] when there is no such conversation or the actor is not a member, or
    /// a failure of the store. While the store is away, those go on whose devices here are told of
    /// the conversation.
    pub async fn start_typing(&self, actor: &Actor, id: ConversationId) -> Result<(), ChatError> {
        self.charge(actor, Operation::TypingStart)?;
        self.check_member(actor, id).await?;
        let router = &self.engine.router;
        let version = {
            let mut typing = lock(&self.engine.typing);
            // Numbered under the lock, in the order in which the table has changed.
            let started = typing.start(id, &actor.user_id, Instant::now());
            started.then(|| router.next_version())
        };
        // Who has left in this moment, by another device, is told of by the leaving.
        let hub = &router.hub;
        if hub.is_attached(&actor.user_id) && !hub.is_subscribed(&actor.user_id, id) {
            lock(&self.engine.typing).leave(id, &actor.user_id);
            return Ok(());
        }
        if let Some(version) = version {
            let (conversation_id, user_id) = (id, actor.user_id.clone());
            let event = SignalEvent::TypingStarted { conversation_id, user_id, version };
            router.signal(id, &actor.user_id, &event);
        }
        Ok(())
    }

    /// Shows the actor as no longer typing.
    ///
    /// # Errors
    ///
    /// As [`Chat::start_typing`].
    pub async fn stop_typing(&self, actor: &Actor, id: ConversationId) -> Result<(), ChatError> {
        self.charge(actor, Operation::TypingStop)?;
        self.check_member(actor, id).await?;
        self.end_typing(id, &actor.user_id);
        Ok(())
    }

    /// Shows a user as no longer typing, if that is how the user is shown.
    pub(super) fn end_typing(&self, conversation: ConversationId, user: &UserId) {
        self.settle_typing(conversation, user, |typing| {
            typing.stop(conversation, user, Instant::now)
        });
    }

    /// The same of a user who has left: nothing is told later.
    pub(super) fn leave_typing(&self, conversation: ConversationId, user: &UserId) {
        self.settle_typing(conversation, user, |typing| typing.leave(conversation, user));
    }

    /// Ends somebody's typing, and tells the others at once if they are to be told.
    fn settle_typing(
        &self,
        conversation_id: ConversationId,
        user: &UserId,
        end: impl FnOnce(&mut TypingTable) -> bool,
    ) {
        let router = &self.engine.router;
        let version = {
            let mut typing = lock(&self.engine.typing);
            // Numbered under the lock, in the order in which the table has changed.
            end(&mut typing).then(|| router.next_version())
        };
        if let Some(version) = version {
            let user_id = user.clone();
            let event = SignalEvent::TypingStopped { conversation_id, user_id, version };
            router.signal(conversation_id, user, &event);
        }
    }

    /// Sets how the actor is shown while online.
    ///
    /// # Errors
    ///
    /// [`ChatError::Field`] for [`PresenceStatus::Offline`], [`ChatError::RateLimited`],
    /// [`ChatError::Conflict`] while the actor has no session, or a failure of the presence store.
    pub async fn set_presence(
        &self,
        actor: &Actor,
        status: PresenceStatus,
    ) -> Result<(), ChatError> {
        if status == PresenceStatus::Offline {
            let reason = "status is online, away or invisible";
            return Err(ChatError::Field { name: "status", reason });
        }
        let presence = &self.engine.presence;
        self.charge_presence(actor, presence.last_chosen(&actor.user_id) == Some(status))?;
        presence.set(&actor.user_id, status).await
    }

    /// Who is online among those whose presence the actor may see: at most 1,000. While the store is
    /// away, those among them who are connected to this node.
    ///
    /// # Errors
    ///
    /// [`ChatError::RateLimited`], or a failure of the store or the presence store.
    pub async fn presence(&self, actor: &Actor) -> Result<Vec<PresenceEntry>, ChatError> {
        let _turn = self.begin_read(actor, Operation::PresenceList).await?;
        self.engine.presence.seen_by(&actor.user_id, None).await
    }

    /// Whether the actor is a member, for what is forgotten in a moment.
    ///
    /// The store is asked. While it is away, what the hub knows must do: it is what every delivery to
    /// the actor's devices stands on. So nobody waits long who is known there.
    async fn check_member(&self, actor: &Actor, id: ConversationId) -> Result<(), ChatError> {
        let Engine { router, stores, config, .. } = &*self.engine;
        let is_known = || router.hub.is_subscribed(&actor.user_id, id);
        let limit = config.call_timeout();
        let patience = if is_known() { GLANCE.min(limit) } else { limit };
        match within(patience, stores.members.member(id, &actor.user_id)).await {
            Ok(member) => member.map(drop).ok_or(ChatError::NotFound),
            Err(error) if error.is_store_away() && is_known() => Ok(()),
            Err(error) => Err(error),
        }
    }
}
