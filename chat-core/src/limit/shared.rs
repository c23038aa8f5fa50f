use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;
use chat_proto::UserId;

use super::Quota;
use crate::store::StoreError;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Messages that a user sends.
    Sends,
    /// Conversations that a user makes.
    Openings,
}

impl Limit {
    /// Its name in keys: `sends`, `openings`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sends => "sends",
            Self::Openings => "openings",
        }
    }
}

/// What is counted together: one limit of one user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LimitKey {
    /// Which limit.
    pub limit: Limit,
    /// Whose.
    pub user: UserId,
}

/// The key's name, in characters that brokers allow in keys. A user's id is written in hexadecimal.
impl fmt::Display for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.limit.as_str())?;
        self.user.as_str().bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a limit says of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was counted and may happen.
    Allowed,
    /// It was not counted: there were too many. It may happen after this time.
    Wait(Duration),
}

/// Limits that all nodes count together.
///
/// To ensure correctness: of events at once, on however many nodes, no more are allowed than
/// [`Quota`] allows one after the other. What is kept of a key goes away by itself once the key is as
/// good as unknown.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait SharedLimits: Debug + Send + Sync + 'static {
    /// Counts one event of a key.
    async fn count(&self, key: &LimitKey, quota: &Quota) -> Result<Verdict, StoreError>;
}
