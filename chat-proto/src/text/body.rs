use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_segmentation::GraphemeCursor;

use super::{Mention, TextError, check_length, is_invisible};

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

    /// The first letters, for a preview: at most `max_chars` characters, and not half of what a
    /// person sees as one (an extended grapheme cluster, UAX #29) unless it alone is longer.
    #[must_use]
    pub fn excerpt(&self, max_chars: usize) -> String {
        let Some((cut, _)) = self.0.char_indices().nth(max_chars) else { return self.0.clone() };
        let mut cursor = GraphemeCursor::new(cut, self.0.len(), true);
        let end = match cursor.is_boundary(&self.0, 0) {
            Ok(false) => cursor.prev_boundary(&self.0, 0).ok().flatten().filter(|end| *end > 0),
            _ => None,
        };
        self.0[..end.unwrap_or(cut)].to_owned()
    }

    /// The places where the text may mention somebody. Matching is by what is normalised; the text
    /// itself stays as it was written.
    #[must_use]
    pub fn mentions(&self) -> Vec<Mention> {
        Mention::all(&self.0)
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
    fn an_excerpt_does_not_cut_a_letter() {
        let excerpt = |text: &str, max| MessageBody::parse(text, 200).unwrap().excerpt(max);
        assert_eq!(excerpt("zoe\u{308}", 3), "zo");
        assert_eq!(excerpt("zoe\u{308}", 4), "zoe\u{308}");
        assert_eq!(excerpt("hi 👩‍👩‍👧!", 5), "hi ");
        assert_eq!(excerpt("hello", 3), "hel");
        assert_eq!(excerpt(&format!("e{}", "\u{301}".repeat(9)), 4).chars().count(), 4);
    }

    proptest! {
        #[test]
        fn an_accepted_text_is_unchanged(text in "\\PC{1,50}") {
            if let Ok(body) = MessageBody::parse(text.clone(), 50) {
                prop_assert_eq!(body.as_str(), text);
            }
        }
    }
}
