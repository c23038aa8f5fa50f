use chat_proto::{LoginSessionId, SessionId, UserId};

use super::Outbox;

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
}
