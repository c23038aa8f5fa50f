//! Validated text: a value of one of these types has passed its rules, wherever it came from.

mod body;
mod fold;
mod look;
mod mention;
mod name;
mod shown;
mod username;

pub use body::MessageBody;
pub use fold::{KEY_VERSION, fold};
pub use mention::{MENTIONS_MAX, Mention, mentioned};
pub use name::{DisplayName, RoomName, Topic};
pub use username::Username;

use crate::ErrorCode;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Nothing in it can be seen.
    #[error("the text must have at least one visible character")]
    Empty,
    /// It is over the limit, counted in characters (Unicode scalar values): those of a name once it is
    /// in normalisation form C, those of a message as they are.
    #[error("the text has {actual} characters, at most {max} are allowed")]
    TooLong {
        /// The most characters allowed.
        max: usize,
        /// The characters given.
        actual: usize,
    },
    /// It holds a character that is not allowed there.
    #[error("the character U+{:04X} is not allowed here", u32::from(*.0))]
    Character(char),
    /// A user name begins or ends with something else than a letter or a digit. Paths of addresses
    /// and the punctuation of sentences would take it for their own.
    #[error("a user name begins and ends with a letter or a digit")]
    Ends,
    /// A name mixes scripts, which is how look-alike names are made (UTS #39 §5.1).
    #[error("a user name must keep to one script")]
    MixedScripts,
}

impl TextError {
    /// The protocol's code for this refusal.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Empty => ErrorCode::TextEmpty,
            Self::TooLong { .. } => ErrorCode::TextTooLong,
            Self::Character(_) | Self::Ends | Self::MixedScripts => ErrorCode::TextInvalid,
        }
    }
}

/// Whether a character leaves no mark of its own: spaces, controls, and the default-ignorable and
/// blank characters (Unicode `Default_Ignorable_Code_Point`, and the fillers that render empty).
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{2800}' | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}')
}

/// The length rule that all kinds of text share.
fn check_length(text: &str, max: usize) -> Result<(), TextError> {
    // A text has at least as many bytes as characters, so most need no count.
    if text.len() > max {
        let actual = text.chars().count();
        if actual > max {
            return Err(TextError::TooLong { max, actual });
        }
    }
    Ok(())
}
