use chat_proto::{SessionId, UserId};

use crate::hub::Origin;

/// Who acts: a user, and the session through which the user acts, if it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub user_id: UserId,
    /// Through which session; the user's devices are told, as an event's `origin`.
    pub session_id: Option<SessionId>,
}

impl Actor {
    /// A user who acts without a session, as through REST.
    #[must_use]
    pub const fn user(user_id: UserId) -> Self {
        Self { user_id, session_id: None }
    }

    pub(crate) fn origin(&self) -> Option<Origin> {
        self.session_id.map(|session| Origin { user: self.user_id.clone(), session })
    }
}
