use std::fmt;

use serde::{Deserialize, Serialize};

use super::{TextError, check_length, is_invisible};

/// The text of a message, kept byte for byte as it was written.
///
/// It has a visible character, no more characters than its limit allowed when it was made, and no
/// U+0000, which not every store can keep. Nothing else is refused or changed: escaping belongs to
/// whoever shows it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageBody(String);

impl MessageBody {
    /// Accepts a text of at most `max_chars` characters.
    ///
    /// # Errors
    ///
    /// [`TextError::TooLong`], [`TextError::Empty`] when nothing in it is visible, or
    /// [`TextError::Character`] for U+0000.
    pub fn parse(text: impl Into<String>, max_chars: usize) -> Result<Self, TextError> {
        let text = text.into();
        check_length(&text, max_chars)?;
        if text.contains('\0') {
            return Err(TextError::Character('\0'));
        }
        if text.chars().all(is_invisible) {
            return Err(TextError::Empty);
        }
        Ok(Self(text))
    }

    /// Takes a text back that was accepted when it was stored: for stores.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first `max_chars` characters, for a preview.
    #[must_use]
    pub fn excerpt(&self, max_chars: usize) -> String {
        self.0.chars().take(max_chars).collect()
    }

    /// The user names mentioned in the text: what follows an `@` that does not continue a word.
    /// Each is lower-cased and named once, in the order of appearance; at most 20 are found.
    #[must_use]
    pub fn mentions(&self) -> Vec<String> {
        let name_char = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | ':');
        let mut found: Vec<String> = Vec::new();
        let mut previous = ' ';
        for (at, c) in self.0.char_indices() {
            if c == '@' && !name_char(previous) {
                let rest = &self.0[at + 1..];
                let end = rest.find(|c| !name_char(c)).unwrap_or(rest.len());
                // Punctuation at the end of a name is the sentence's.
                let name = rest[..end].trim_end_matches(['.', ':', '-', '~']).to_lowercase();
                if !name.is_empty() && !found.contains(&name) {
                    found.push(name);
                    if found.len() == 20 {
                        break;
                    }
                }
            }
            previous = c;
        }
        found
    }
}

impl AsRef<str> for MessageBody {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<MessageBody> for String {
    fn from(body: MessageBody) -> Self {
        body.0
    }
}

/// Never shows the text: what people write does not belong in logs.
impl fmt::Debug for MessageBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageBody({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn invisible_text_is_empty() {
        for text in ["", "   ", "\n\t", "\u{200B}\u{FEFF}", "\u{3164}", "\u{2800}", "\u{E0041}"] {
            assert_eq!(MessageBody::parse(text, 10), Err(TextError::Empty), "{text:?}");
        }
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(MessageBody::parse("é".repeat(10), 10).is_ok());
        assert_eq!(
            MessageBody::parse("é".repeat(11), 10),
            Err(TextError::TooLong { max: 10, actual: 11 })
        );
    }

    #[test]
    fn debug_hides_the_text() {
        let body = MessageBody::parse("secret", 10).unwrap();
        assert!(!format!("{body:?}").contains("secret"));
    }

    #[test]
    fn mentions_are_found_where_a_person_would_see_them() {
        let mentions = |text: &str| MessageBody::parse(text, 200).unwrap().mentions();
        assert_eq!(mentions("hi @Ada, and @bo.b."), ["ada", "bo.b"]);
        assert_eq!(mentions("(@ada) @ada"), ["ada"]);
        assert!(mentions("mail me at ada@example.org").is_empty());
        assert!(mentions("@ @@ @.").is_empty());
        assert_eq!(mentions("@Zoë!"), ["zoë"]);
    }

    proptest! {
        #[test]
        fn an_accepted_text_is_unchanged(text in "\\PC{1,50}") {
            if let Ok(body) = MessageBody::parse(text.clone(), 50) {
                prop_assert_eq!(body.as_str(), text);
            }
        }

        #[test]
        fn mentions_never_panic(text in ".{1,200}") {
            if let Ok(body) = MessageBody::parse(text, 200) {
                prop_assert!(body.mentions().len() <= 20);
            }
        }
    }
}
