use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::{TextError, check_length, is_invisible};

/// Whether a character opens or closes an override, embedding or isolate of direction (UAX #9 §2).
const fn turns_text(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The most characters allowed.
            pub const MAX_CHARS: usize = $max;

            /// Accepts a text after white space at both ends is cut off.
            ///
            /// # Errors
            ///
            /// [`TextError::TooLong`], [`TextError::Empty`], or [`TextError::Character`] for a
            /// control character or one that overrides the direction of what follows, by which a
            /// name could disturb the text around it.
            pub fn parse(text: &str) -> Result<Self, TextError> {
                let text = text.trim();
                check_length(text, Self::MAX_CHARS)?;
                if let Some(c) = text.chars().find(|&c| c.is_control() || turns_text(c)) {
                    return Err(TextError::Character(c));
                }
                if text.chars().all(is_invisible) {
                    return Err(TextError::Empty);
                }
                Ok(Self(text.into()))
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

/// A user who gave no name to be shown is shown by the unique one.
impl From<&crate::Username> for DisplayName {
    fn from(username: &crate::Username) -> Self {
        Self(username.as_str().into())
    }
}

impl RoomName {
    /// The form by which a room is found by its name: names that differ only in case are equal.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_lowercase()
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
        assert_eq!(DisplayName::parse("Bo \u{202E}live"), Err(TextError::Character('\u{202E}')));
        assert!(DisplayName::parse("\u{5e0}\u{5d5}\u{5e2}\u{5d4} Noa").is_ok());
        assert_eq!(
            DisplayName::parse(&"x".repeat(65)),
            Err(TextError::TooLong { max: 64, actual: 65 })
        );
    }
}
