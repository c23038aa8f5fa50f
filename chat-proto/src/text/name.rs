use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::TextError;
use super::fold::fold;
use super::look::skeletons;
use super::shown::shown;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The most characters allowed, counted in normalisation form C.
            pub const MAX_CHARS: usize = $max;

            /// Accepts a text: what is kept of it is in normalisation form C, without white space
            /// at its ends.
            ///
            /// # Errors
            ///
            /// [`TextError::TooLong`], [`TextError::Empty`], or [`TextError::Character`] for what
            /// would disturb the text around it or not be seen: a control character, one that
            /// overrides the direction of what follows, an invisible one outside of an emoji or a
            /// script that needs it, and a mark that is the fifth on its letter (UTS #39 §5.4), the
            /// same as the one before, or on no letter.
            pub fn parse(text: &str) -> Result<Self, TextError> {
                Ok(Self(shown(text, Self::MAX_CHARS)?.into()))
            }

            /// Takes a text back that was accepted when it was stored, though the rules may have
            /// changed since: for stores.
            #[must_use]
            pub fn from_stored(text: String) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = TextError;

            fn try_from(text: String) -> Result<Self, TextError> {
                Self::parse(&text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().into()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name a user is shown by: at most 64 characters, not unique.
    DisplayName,
    64
);
name!(
    /// The name of a room: at most 80 characters, not unique.
    RoomName,
    80
);
name!(
    /// What a room is about: at most 250 characters.
    Topic,
    250
);

/// Deserialises what a client asks for: by the rules.
macro_rules! asked {
    ($name:ident) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        impl $name {
            /// Deserialises a record, whose text was accepted when it was made.
            pub(crate) fn recorded<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Option<Self>, D::Error> {
                Ok(Option::<String>::deserialize(deserializer)?.map(Self::from_stored))
            }
        }
    };
}

asked!(RoomName);
asked!(Topic);

/// Reads a record, whose name was accepted when it was made.
impl<'de> Deserialize<'de> for DisplayName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from_stored)
    }
}

/// A user who gave no name to be shown is shown by the unique one.
impl From<&crate::Username> for DisplayName {
    fn from(username: &crate::Username) -> Self {
        Self(username.as_str().into())
    }
}

impl DisplayName {
    /// The form that a search compares with: see [`fold`].
    #[must_use]
    pub fn key(&self) -> String {
        fold(&self.0)
    }

    /// What the name looks like. No name to be shown has one of the
    /// [skeletons](crate::Username::skeletons) of another user's unique name.
    #[must_use]
    pub fn skeletons(&self) -> Vec<String> {
        skeletons(&self.0)
    }
}

impl RoomName {
    /// The form by which a room is found by its name: names that differ only in case or normal form
    /// are equal. See [`fold`].
    #[must_use]
    pub fn key(&self) -> String {
        fold(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(RoomName::parse("  general ").unwrap().as_str(), "general");
        assert_eq!(RoomName::parse("\u{200B}"), Err(TextError::Empty));
        assert_eq!(RoomName::parse("a\nb"), Err(TextError::Character('\n')));
        assert_eq!(RoomName::parse("Cafe\u{301} ").unwrap().as_str(), "Caf\u{e9}");
        assert_eq!(
            RoomName::parse("STRASSE").unwrap().key(),
            RoomName::parse("straße").unwrap().key()
        );
        assert_eq!(DisplayName::parse("Bo \u{202E}live"), Err(TextError::Character('\u{202E}')));
        assert!(DisplayName::parse("\u{5e0}\u{5d5}\u{5e2}\u{5d4} Noa").is_ok());
        assert_eq!(
            DisplayName::parse(&"x".repeat(65)),
            Err(TextError::TooLong { max: 64, actual: 65 })
        );
    }

    #[test]
    fn records_are_read_by_the_rules_of_their_time() {
        let json = "\"Ada\u{200B}\"";
        assert_eq!(serde_json::from_str::<DisplayName>(json).unwrap().as_str(), "Ada\u{200B}");
        assert!(serde_json::from_str::<RoomName>(json).is_err());
        assert!(serde_json::from_str::<crate::Username>("\"..\"").is_ok());
    }
}
