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
    /// The last message that was looked at for that: later ones are not counted.
    pub through_seq: u64,
}

impl From<CursorAdvance> for Receipt {
    fn from(advance: CursorAdvance) -> Self {
        Self {
            read: advance.passed,
            seq: advance.to,
            unread: advance.unread,
            through_seq: advance.counted_through,
        }
    }
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
        self.advance(actor, id, CursorKind::Read, seq).await
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
        self.advance(actor, id, CursorKind::Delivered, seq).await
    }

    /// Moves a cursor and tells of it, whether or not the caller still waits: what is stored is told.
    async fn advance(
        &self,
        actor: &Actor,
        id: ConversationId,
        kind: CursorKind,
        seq: Option<u64>,
    ) -> Result<Receipt, ChatError> {
        let operation = match kind {
            CursorKind::Read => Operation::ReceiptRead,
            CursorKind::Delivered => Operation::ReceiptDelivered,
        };
        let turn = self.begin_write(actor, operation).await?;
        let (chat, actor) = (self.clone(), actor.clone());
        self.whole(async move {
            let _turn = turn;
            let moving = chat.engine.shown.cursors.advance(id, &actor.user_id, kind, seq);
            let advance = chat.within(moving).await?.ok_or(ChatError::NotFound)?;
            if advance.to > advance.from {
                chat.tell_advance(&actor, id, kind, advance.to).await;
            }
            Ok(advance.into())
        })
        .await
    }

    async fn tell_advance(&self, actor: &Actor, id: ConversationId, kind: CursorKind, seq: u64) {
        let (conversation_id, user_id) = (id, actor.user_id.clone());
        let event = match kind {
            CursorKind::Read => {
                let origin = actor.origin();
                self.engine.router.tell_unread(&actor.user_id, id, origin.as_ref()).await;
                SignalEvent::ReceiptRead { conversation_id, user_id, seq }
            }
            CursorKind::Delivered => {
                SignalEvent::ReceiptDelivered { conversation_id, user_id, seq }
            }
        };
        self.tell_receipt(actor, id, event).await;
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
}
