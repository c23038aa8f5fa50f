use chat_proto::{LoginSessionId, SessionId, UserId};

use super::Outbox;
use crate::direct::Batch;

/// One attached device, as the hub knows it.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    /// The login by which it was attached, when that can be revoked.
    pub(crate) login: Option<LoginSessionId>,
    pub(crate) outbox: Outbox,
}

impl Device {
    pub(crate) fn new(user: UserId, login: Option<LoginSessionId>) -> Self {
        Self { id: SessionId::generate(), user, login, outbox: Outbox::default() }
    }

    /// Offers a delivery: written at once where that is possible, and otherwise to be taken.
    pub(crate) fn deliver(&self, batch: &Batch<'_>) {
        self.outbox.deliver(batch, &self.user);
    }
}
