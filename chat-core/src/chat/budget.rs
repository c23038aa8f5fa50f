//! Where an operation of a user begins, over whichever transport it came.

use chat_proto::{Operation, UserId};

use super::{Actor, Chat};
use crate::error::ChatError;
use crate::limit::{Kind, Turn};

impl Chat {
    /// Takes an operation's cost from the actor's budget.
    pub(super) fn charge(&self, actor: &Actor, operation: Operation) -> Result<(), ChatError> {
        self.take(&actor.user_id, operation, operation.cost())
    }

    /// Takes a device that connects from its user's budget.
    pub(crate) fn charge_connect(&self, user: &UserId) -> Result<(), ChatError> {
        self.take(user, Operation::Connect, Operation::Connect.cost())
    }

    /// Takes a resume from its user's budget, by the conversations that it names.
    pub(crate) fn charge_resume(&self, user: &UserId, named: usize) -> Result<(), ChatError> {
        if named > self.engine.config.limits.resume_conversations {
            return Err(ChatError::Invalid(
                "more conversations than limits.resumeConversations: resume them in several parts",
            ));
        }
        let cost = u32::try_from(named).unwrap_or(u32::MAX).max(1);
        self.take(user, Operation::Resume, cost.saturating_mul(Operation::Resume.cost()))
    }

    /// Takes a `presence.set` from the actor's budget: in full where others would be told.
    pub(super) fn charge_presence(&self, actor: &Actor, repeats: bool) -> Result<(), ChatError> {
        let cost = if repeats { 1 } else { Operation::PresenceSet.cost() };
        self.take(&actor.user_id, Operation::PresenceSet, cost)
    }

    fn take(&self, user: &UserId, operation: Operation, cost: u32) -> Result<(), ChatError> {
        let taken = self.engine.budgets.take(user, operation.class(), cost);
        taken.map_err(|retry_after| ChatError::RateLimited { retry_after })
    }

    /// Takes an operation that asks the store from the actor's budget, and waits while as many of
    /// the same user's are carried out as may be at once.
    pub(super) async fn begin_read(
        &self,
        actor: &Actor,
        operation: Operation,
    ) -> Result<Turn, ChatError> {
        self.charge(actor, operation)?;
        self.turn(&actor.user_id, Kind::Read).await
    }

    /// The same for one that changes the store.
    pub(super) async fn begin_write(
        &self,
        actor: &Actor,
        operation: Operation,
    ) -> Result<Turn, ChatError> {
        self.charge(actor, operation)?;
        self.turn(&actor.user_id, Kind::Write).await
    }

    /// Waits for a user's turn to read what was missed. What takes the turns of a user for so long is
    /// the store, so this fails as if it had been asked.
    pub(crate) async fn read_turn(&self, user: &UserId) -> Result<Turn, ChatError> {
        self.turn(user, Kind::Read).await.map_err(|_| ChatError::Timeout)
    }

    async fn turn(&self, user: &UserId, kind: Kind) -> Result<Turn, ChatError> {
        let patience = self.engine.config.call_timeout();
        let waiting = self.engine.turns.next(user, kind);
        tokio::time::timeout(patience, waiting).await.map_err(|_| ChatError::Busy)
    }
}
