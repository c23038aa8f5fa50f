//! How users want to be shown, kept by the store for whenever they come back.
//!
//! While the store is away, a choice holds at once and is stored later: presence goes on among those
//! who are connected.

use std::collections::HashMap;

use chat_proto::{PresenceStatus, UserId};

use super::Presence;
use crate::error::ChatError;
use crate::limit::Kind;
use crate::router::causes;
use crate::sharded::lock;
use crate::within::within;

/// Choices that are to be stored; a further one is refused.
const MAX_CHOICES: usize = 10_000;
/// Choices that are stored at one time.
const AT_ONCE: usize = 64;

/// Choices that could not be stored.
pub(super) type Choices = HashMap<UserId, PresenceStatus>;

impl Presence {
    /// Stores how a user wants to be shown; later, where the store is away. To be called in the user's
    /// turn.
    pub(super) async fn store_choice(
        &self,
        user: &UserId,
        status: PresenceStatus,
    ) -> Result<(), ChatError> {
        let storing = self.stores.users.choose_presence(user, status);
        let stored = within(self.config.call_timeout(), storing).await;
        let mut choices = lock(&self.choices);
        match stored {
            Err(error) if error.is_store_away() => {
                if choices.len() >= MAX_CHOICES && !choices.contains_key(user) {
                    return Err(error);
                }
                choices.insert(user.clone(), status);
                Ok(())
            }
            stored => {
                choices.remove(user);
                stored
            }
        }
    }

    /// Stores choices that could not be stored before.
    pub(super) async fn store_choices(&self) {
        for _ in 0..AT_ONCE {
            let Some(user) = lock(&self.choices).keys().next().cloned() else { return };
            let _turn = self.turns.next(&user, Kind::Write).await;
            let Some(status) = lock(&self.choices).get(&user).copied() else { continue };
            if let Err(error) = self.store_choice(&user, status).await {
                tracing::warn!(%user, error = %causes(&error), "cannot store how a user is shown");
            }
            if lock(&self.choices).contains_key(&user) {
                return;
            }
        }
    }
}
