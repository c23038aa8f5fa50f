use chat_proto::{ConversationId, Operation, SignalEvent};

use super::{Actor, Chat};
use crate::error::ChatError;
use crate::router::causes;
use crate::store::{CursorAdvance, CursorKind};

/// What came of moving a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// How many messages of others the cursor moved over.
    pub read: u64,
    /// Where the cursor now stands.
    pub seq: u64,
    /// What is unread in the conversation now, counted up to 100.
    pub unread: u64,
}

impl Chat {
    /// Records that the actor has read up to a message, or up to the last one.
    ///
    /// # Errors
    ///
    /// [`ChatError::RateLimited`], [`ChatError::NotFound`] when there is no such conversation or the
    /// actor is not a member, or a failure of the store.
    pub async fn mark_read(
        &self,
        actor: &Actor,
        id: ConversationId,
        seq: Option<u64>,
    ) -> Result<Receipt, ChatError> {
        let _turn = self.begin_write(actor, Operation::ReceiptRead).await?;
        let advance = self.advance(actor, id, CursorKind::Read, seq).await?;
        if advance.to > advance.from {
            self.tell_unread(actor, id, advance).await;
            let (conversation_id, user_id) = (id, actor.user_id.clone());
            let event = SignalEvent::ReceiptRead { conversation_id, user_id, seq: advance.to };
            self.tell_receipt(actor, id, event).await;
        }
        Ok(Receipt { read: advance.passed, seq: advance.to, unread: advance.unread })
    }

    /// Records that a device of the actor has received up to a message, or up to the last one.
    ///
    /// # Errors
    ///
    /// As [`Chat::mark_read`].
    pub async fn mark_delivered(
        &self,
        actor: &Actor,
        id: ConversationId,
        seq: Option<u64>,
    ) -> Result<Receipt, ChatError> {
        let _turn = self.begin_write(actor, Operation::ReceiptDelivered).await?;
        let advance = self.advance(actor, id, CursorKind::Delivered, seq).await?;
        if advance.to > advance.from {
            let (conversation_id, user_id) = (id, actor.user_id.clone());
            let event = SignalEvent::ReceiptDelivered { conversation_id, user_id, seq: advance.to };
            self.tell_receipt(actor, id, event).await;
        }
        Ok(Receipt { read: advance.passed, seq: advance.to, unread: advance.unread })
    }

    async fn advance(
        &self,
        actor: &Actor,
        id: ConversationId,
        kind: CursorKind,
        seq: Option<u64>,
    ) -> Result<CursorAdvance, ChatError> {
        let moving = self.engine.shown.cursors.advance(id, &actor.user_id, kind, seq);
        self.within(moving).await?.ok_or(ChatError::NotFound)
    }

    /// Tells the other members, where they are few enough to be told one by one.
    async fn tell_receipt(&self, actor: &Actor, id: ConversationId, event: SignalEvent) {
        let most = self.engine.config.limits.receipt_members;
        match self.within(self.engine.shown.conversations.conversation(id)).await {
            Ok(Some(found)) if found.member_count <= most as u64 => {
                self.engine.router.signal(id, &actor.user_id, &event);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(conversation = %id, error = %causes(&error), "a receipt is not told");
            }
        }
    }

    /// Tells the actor's own devices what is left.
    async fn tell_unread(
        &self,
        actor: &Actor,
        conversation_id: ConversationId,
        now: CursorAdvance,
    ) {
        // From the store itself: what was just written, no cache can have.
        let reading = self.engine.stores.inbox.unread_total(&actor.user_id);
        match self.within(reading).await {
            Ok(total) => {
                let event = SignalEvent::UnreadChanged {
                    conversation_id,
                    read_seq: now.to,
                    unread: now.unread,
                    unread_mentions: now.unread_mentions,
                    total_unread: total.unread,
                };
                let origin = actor.origin();
                self.engine.router.signal_user(&actor.user_id, &event, origin.as_ref());
            }
            Err(error) => {
                tracing::debug!(error = %causes(&error), "a count is not told");
            }
        }
    }
}
