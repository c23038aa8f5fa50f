use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{DisplayName, UserId, Username};

/// A user, as other users see one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Who it is, for ever.
    pub id: UserId,
    /// The unique name.
    pub username: Username,
    /// The name to show.
    pub display_name: DisplayName,
    /// When the user was first seen.
    pub created_at: Timestamp,
    /// When the user's last session ended; absent before that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_seen_at: Option<Timestamp>,
}

/// Whether a user is here, as others see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PresenceStatus {
    /// A session of the user lives on some node.
    Online,
    /// As online, but the user said to be away.
    Away,
    /// As online, but shown to others as offline. Never sent to anybody else.
    Invisible,
    /// No session of the user lives anywhere, the grace time being over.
    Offline,
}

impl PresenceStatus {
    /// The status as other users may see it.
    #[must_use]
    pub const fn as_shown(self) -> Self {
        match self {
            Self::Invisible => Self::Offline,
            shown => shown,
        }
    }
}

/// One user's presence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PresenceEntry {
    /// Whose.
    pub user_id: UserId,
    /// What it is.
    pub status: PresenceStatus,
    /// When the user was last online; absent while the user is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_seen_at: Option<Timestamp>,
    /// Orders what is told of one user's presence: the highest holds. 0 from a server that does not
    /// say.
    #[serde(default)]
    pub version: u64,
}
