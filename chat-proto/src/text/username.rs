use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::char::is_combining_mark;
use unicode_security::MixedScript;

use super::fold::{fold, normalized};
use super::look::skeletons;
use super::shown::stacked;
use super::{TextError, is_invisible};
use crate::UserId;

/// The unique name of a user, in Unicode normalisation form C (UAX #15).
///
/// At most 64 letters and digits of one script (UTS #39 §5.1) and `. _ ~ : @ -`, with a letter or a
/// digit at each end. No two users have names with the same [`key`](Username::key), nor names that
/// have a [skeleton](Username::skeletons) in common, so no name can pass for another.
///
/// What was recorded under earlier rules stays as it is: [`from_stored`](Username::from_stored) and
/// deserialising, which reads records, take any name; [`parse`](Username::parse) takes new ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Username(Arc<str>);

impl Username {
    /// The most characters allowed.
    pub const MAX_CHARS: usize = 64;
    /// The most characters that any name has that is recorded: earlier ones were counted before they
    /// were normalised, which makes three of one at most.
    pub(super) const STORED_CHARS: usize = 3 * Self::MAX_CHARS;

    /// Normalises and accepts a new name.
    ///
    /// # Errors
    ///
    /// [`TextError::Empty`], [`TextError::TooLong`], [`TextError::Character`] for anything but
    /// letters, at most four marks on each, digits and `. _ ~ : @ -`, [`TextError::Ends`], or
    /// [`TextError::MixedScripts`].
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let name = normalized(text, Self::MAX_CHARS)?;
        if name.is_empty() {
            return Err(TextError::Empty);
        }
        let refused = name.chars().find(|&c| !is_allowed(c) || is_invisible(c));
        if let Some(c) = refused.or_else(|| stacked(&name)) {
            return Err(TextError::Character(c));
        }
        let last = name.trim_end_matches(is_combining_mark).chars().next_back();
        let ends = [name.chars().next(), last];
        if !ends.iter().all(|end| end.is_some_and(char::is_alphanumeric)) {
            return Err(TextError::Ends);
        }
        if !name.as_str().is_single_script() {
            return Err(TextError::MixedScripts);
        }
        Ok(Self(name.into()))
    }

    /// Takes what was typed to find a user by name, who may have had it since before today's rules.
    ///
    /// # Errors
    ///
    /// [`TextError`] for what was never a name.
    pub fn sought(text: &str) -> Result<Self, TextError> {
        let name = normalized(text, Self::STORED_CHARS)?;
        if name.is_empty() {
            return Err(TextError::Empty);
        }
        match name.chars().find(|&c| !is_allowed(c)) {
            Some(c) => Err(TextError::Character(c)),
            None => Ok(Self(name.into())),
        }
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

    /// The form by which a user is looked up: names that differ only in case or normal form are
    /// equal. See [`fold`].
    #[must_use]
    pub fn key(&self) -> String {
        fold(&self.0)
    }

    /// The key of a user whose [`key`](Self::key) belongs to another: of two who got their names
    /// under rules that told the two apart, the later one. It is the key of this name alone, as it
    /// is written, and of no name that is folded; in order it follows the key.
    #[must_use]
    pub fn own_key(&self) -> String {
        format!("{}={}", self.key(), self.0)
    }

    /// The forms that must be unique beside the key, one or two: names that look alike have one in
    /// common (UTS #39 §4), and so have names that look alike once their case is ignored.
    #[must_use]
    pub fn skeletons(&self) -> Vec<String> {
        skeletons(&self.0)
    }
}

/// Reads a record, whose name was accepted when it was made.
impl<'de> Deserialize<'de> for Username {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from_stored)
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

/// Whether a name may hold a character, or ever could.
pub(super) fn is_allowed(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c) || matches!(c, '.' | '_' | '~' | ':' | '@' | '-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    #[test]
    fn names_of_any_one_script_are_accepted() {
        for text in ["ada", "Ada_L.1815", "Зоя", "赵敏", "ひなた漢字", "नीता", "सत्", "x\u{30C}"]
        {
            assert!(Username::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn look_alikes_and_invisibles_are_refused_or_equal() {
        assert_eq!(Username::parse("аdа"), Err(TextError::MixedScripts), "Cyrillic а in Latin");
        for c in ['\u{200B}', ' ', '\u{3164}', '\u{34F}', '\u{FE0F}', '\u{FFA0}'] {
            assert_eq!(Username::parse(&format!("a{c}da")), Err(TextError::Character(c)), "{c:?}");
        }
        assert_eq!(Username::parse("q\u{308}\u{308}"), Err(TextError::Character('\u{308}')));
        assert_eq!(name("IDA").key(), name("ida").key());
    }

    #[test]
    fn a_new_name_begins_and_ends_with_a_letter_or_digit() {
        for text in [".", "..", "-", "@", "@@@", "x.", "-y", "_a", "a_", ":a", "a~", "\u{903}a"] {
            assert!(Username::parse(text).is_err(), "{text}");
            assert!(Username::sought(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn lengths_are_counted_once_normalised() {
        let jamo = "\u{1112}\u{1161}\u{11AB}".repeat(30);
        assert_eq!(name(&jamo).as_str().chars().count(), 30);
        assert_eq!(name(&"e\u{301}".repeat(40)), name(&"é".repeat(40)));
        assert_eq!(
            Username::parse(&"\u{958}".repeat(64)),
            Err(TextError::TooLong { max: 64, actual: 128 })
        );
        assert!(Username::sought(&"\u{958}".repeat(64)).is_ok(), "it was accepted once");
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

    #[test]
    fn an_own_key_is_no_key() {
        let own = name("Straße").own_key();
        assert_eq!(own, "strasse=Straße");
        assert!(Username::sought(&own).is_err());
        assert!(own.starts_with(&name("STRASSE").key()), "a search finds it beside the other");
    }

    proptest! {
        #[test]
        fn every_form_of_a_name_is_the_same_name(text in "[\\p{L}\\p{M}\\p{N}]{1,70}") {
            let composed = Username::parse(&text.nfc().collect::<String>());
            let decomposed = Username::parse(&text.nfd().collect::<String>());
            prop_assert_eq!(&composed, &decomposed);
            if let Ok(name) = composed {
                prop_assert_eq!(Username::parse(name.as_str()), Ok(name.clone()));
                prop_assert!(Username::sought(&text).is_ok_and(|sought| sought == name));
            }
        }
    }
}
