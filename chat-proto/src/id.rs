//! Identifiers. Each is a type of its own, so that one kind cannot be passed for another.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is empty.
    #[error("an id must not be empty")]
    Empty,
    /// The text has more characters than an id of this kind may have.
    #[error("an id has at most {max} characters, this one has {actual}")]
    TooLong {
        /// The most characters allowed.
        max: usize,
        /// The characters given.
        actual: usize,
    },
    /// A character is outside the alphabet of this kind of id.
    #[error("an id must not contain {0:?}")]
    Character(char),
    /// The text is not a UUID.
    #[error("an id of this kind is a UUID, such as 0190f0a4-9f5c-7e2b-8a3d-2f6f2f1f9b11")]
    NotUuid,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id: a UUIDv7 (RFC 9562 §5.7), so that ids sort by the time they were made.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id as a UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError::NotUuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

uuid_id!(
    /// One conversation: a pair of users, or a room.
    ConversationId
);
uuid_id!(
    /// One message, across all conversations.
    MessageId
);
uuid_id!(
    /// One attached device: a live connection, gone when it ends.
    SessionId
);
uuid_id!(
    /// One login of one account: outlives connections, ends by logout, revocation or expiry.
    LoginSessionId
);
uuid_id!(
    /// One running engine among several that share a store; new at every start.
    NodeId
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:expr, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The most characters an id of this kind has.
            pub const MAX_CHARS: usize = $max;

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let allowed: fn(char) -> bool = $allowed;
                if text.is_empty() {
                    return Err(IdError::Empty);
                }
                let actual = text.chars().count();
                if actual > Self::MAX_CHARS {
                    return Err(IdError::TooLong { max: Self::MAX_CHARS, actual });
                }
                match text.chars().find(|&c| !allowed(c)) {
                    Some(c) => Err(IdError::Character(c)),
                    None => Ok(Self(text.into())),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &*self.0)
            }
        }
    };
}

text_id!(
    /// A user, as the host's tokens name it in `sub` (RFC 7519 §4.1.2): at most 64 of
    /// `A–Z a–z 0–9 . _ ~ : @ -`. Opaque to the engine.
    UserId,
    64,
    |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | ':' | '@' | '-')
);
text_id!(
    /// A sender's own id for a message: what makes a repeated send the same message.
    /// At most 128 visible ASCII characters.
    ClientId,
    128,
    |c| c.is_ascii_graphic()
);

impl UserId {
    /// A new id for a user that no host has named: a UUIDv7.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// Whether the path of an address can carry the id, such as `/users/{id}`.
    ///
    /// `.` and `..` are removed by every client before it sends a request, percent-encoded, too
    /// (RFC 3986 §5.2.4, WHATWG URL). All other ids arrive, where need be percent-encoded.
    #[must_use]
    pub fn fits_into_a_path(&self) -> bool {
        !matches!(self.as_str(), "." | "..")
    }
}

impl ClientId {
    /// A new id for a message whose sender gave none: such a send cannot be repeated safely.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_ids_keep_to_their_alphabet() {
        assert!("auth0:42@example.org".parse::<UserId>().is_ok());
        assert_eq!("".parse::<UserId>(), Err(IdError::Empty));
        assert_eq!("a b".parse::<UserId>(), Err(IdError::Character(' ')));
        assert_eq!("x".repeat(65).parse::<UserId>(), Err(IdError::TooLong { max: 64, actual: 65 }));
    }

    #[test]
    fn all_user_ids_but_two_fit_into_a_path() {
        for (id, fits) in
            [(".", false), ("..", false), ("...", true), ("-", true), ("@@@", true), ("ada", true)]
        {
            assert_eq!(id.parse::<UserId>().unwrap().fits_into_a_path(), fits, "{id}");
        }
    }

    #[test]
    fn ids_are_plain_strings_in_json() {
        let user: UserId = serde_json::from_str("\"ada\"").unwrap();
        assert_eq!(serde_json::to_string(&user).unwrap(), "\"ada\"");
        assert!(serde_json::from_str::<UserId>("\"a/b\"").is_err());
        assert!(serde_json::from_str::<ConversationId>("\"nope\"").is_err());
    }

    #[test]
    fn generated_ids_sort_by_time() {
        let ids: Vec<_> = (0..100).map(|_| MessageId::generate()).collect();
        assert!(ids.is_sorted());
    }
}
