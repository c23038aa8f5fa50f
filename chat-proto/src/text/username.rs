use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;
use unicode_security::{MixedScript, confusable_detection};

use super::{TextError, check_length};
use crate::UserId;

/// The unique name of a user, in Unicode normalisation form C (UAX #15).
///
/// At most 64 letters and digits of one script (UTS #39 §5.1) and `. _ ~ : @ -`. No two
/// users have names with the same [`key`](Username::key) or the same
/// [`skeleton`](Username::skeleton), so no name can pass for another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Username(Arc<str>);

impl Username {
    /// The most characters allowed.
    pub const MAX_CHARS: usize = 64;

    /// Normalises and accepts a name.
    ///
    /// # Errors
    ///
    /// [`TextError::Empty`], [`TextError::TooLong`], [`TextError::Character`] for anything but
    /// letters, their marks, digits and `. _ ~ : @ -`, or [`TextError::MixedScripts`].
    pub fn parse(text: &str) -> Result<Self, TextError> {
        check_length(text, Self::MAX_CHARS)?;
        let name: String = text.nfc().collect();
        if name.is_empty() {
            return Err(TextError::Empty);
        }
        if let Some(c) = name.chars().find(|&c| !is_allowed(c)) {
            return Err(TextError::Character(c));
        }
        if !name.as_str().is_single_script() {
            return Err(TextError::MixedScripts);
        }
        Ok(Self(name.into()))
    }

    /// Takes a name back that was accepted when it was stored, though the rules may have changed
    /// since: for stores.
    #[must_use]
    pub fn from_stored(name: String) -> Self {
        Self(name.into())
    }

    /// The name as its user wrote it, normalised.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form by which a user is looked up: names that differ only in case are equal.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }

    /// The form that must be unique beside the key: names that look alike have the same skeleton
    /// (UTS #39 §4), and so have names that look alike once their case is ignored.
    #[must_use]
    pub fn skeleton(&self) -> String {
        let skeleton: String = confusable_detection::skeleton(&self.0).collect();
        confusable_detection::skeleton(&skeleton.to_lowercase()).collect()
    }
}

/// Every user id is a possible user name, for hosts that give no other.
impl From<&UserId> for Username {
    fn from(id: &UserId) -> Self {
        Self(id.as_str().into())
    }
}

impl TryFrom<String> for Username {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        Self::parse(&text)
    }
}

impl Serialize for Username {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0.as_ref().into()
    }
}

impl std::fmt::Display for Username {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_allowed(c: char) -> bool {
    c.is_alphanumeric()
        || unicode_normalization::char::is_combining_mark(c)
        || matches!(c, '.' | '_' | '~' | ':' | '@' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    #[test]
    fn names_of_any_one_script_are_accepted() {
        for text in ["ada", "Ada_L.1815", "Зоя", "赵敏", "ひなた漢字", "नीता"] {
            assert!(Username::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn look_alikes_and_invisibles_are_refused_or_equal() {
        assert_eq!(Username::parse("аdа"), Err(TextError::MixedScripts), "Cyrillic а in Latin");
        assert_eq!(Username::parse("a\u{200B}da"), Err(TextError::Character('\u{200B}')));
        assert_eq!(Username::parse("a da"), Err(TextError::Character(' ')));
        assert_eq!(name("paypaI").skeleton(), name("PAYPAL").skeleton());
        assert_eq!(name("сосо").skeleton(), name("coco").skeleton(), "whole-script confusable");
        assert_eq!(name("IDA").key(), name("ida").key());
        assert_ne!(name("ada").skeleton(), name("adam").skeleton());
    }

    #[test]
    fn composed_and_decomposed_forms_are_one_name() {
        assert_eq!(name("zoe\u{308}"), name("zo\u{eb}"));
    }

    #[test]
    fn every_user_id_is_a_user_name() {
        let id: UserId = "auth0:42@example.org".parse().unwrap();
        assert_eq!(Username::parse(id.as_str()).unwrap(), Username::from(&id));
    }
}
