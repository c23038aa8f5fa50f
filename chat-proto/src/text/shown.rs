//! What may be shown as a name: of a user, of a room, and what a room is about.

use unicode_normalization::char::{canonical_combining_class, is_combining_mark};
use unicode_properties::{GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};
use unicode_script::{Script, UnicodeScript};

use super::fold::normalized;
use super::{TextError, is_invisible};

/// The most marks above or below one letter (UTS #39 §5.4). Vietnamese, Hebrew and Arabic need
/// three.
const MARKS: usize = 4;
/// The canonical combining class of viramas (UAX #44 §5.7.4), which join letters.
const VIRAMA: u8 = 9;

/// A text as it may be shown: normalised, without white space at its ends, within its length, and
/// without anything that would not be seen or would reach beyond the name.
///
/// Some invisible characters are part of what people write, and pass where they are: joiners within
/// an emoji or between letters of a script that needs them, and what chooses between two shapes of
/// the character before (RFC 5892 appendix A.1 and A.2, UTS #51 §1.4).
pub(super) fn shown(text: &str, max: usize) -> Result<String, TextError> {
    let text = normalized(text.trim(), max)?;
    if text.chars().all(is_invisible) && !text.chars().any(char::is_control) {
        return Err(TextError::Empty);
    }
    if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_control()) {
        return Ok(text);
    }
    let chars: Vec<char> = text.chars().collect();
    let refused = (0..chars.len()).find(|&at| !is_visible(&chars, at));
    match refused.map(|at| chars[at]).or_else(|| stacked(&text)) {
        Some(c) => Err(TextError::Character(c)),
        None => Ok(text),
    }
}

/// A mark that is one too many, the same as the one before it, or without a letter to stand on: the
/// first that there is.
pub(super) fn stacked(text: &str) -> Option<char> {
    let mut marks = 0;
    let mut previous = ' ';
    for c in text.chars() {
        let is_stacking = matches!(
            c.general_category(),
            GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark
        );
        if is_combining_mark(c) && previous.is_whitespace() {
            return Some(c);
        }
        if is_stacking && !is_invisible(c) {
            marks += 1;
            if marks > MARKS || c == previous {
                return Some(c);
            }
        } else if !is_invisible(c) {
            marks = 0;
        }
        previous = c;
    }
    None
}

/// Whether the character at a place can be seen, or belongs to one that can.
fn is_visible(chars: &[char], at: usize) -> bool {
    let c = chars[at];
    let previous = at.checked_sub(1).map_or(' ', |before| chars[before]);
    let next = chars.get(at + 1).copied().unwrap_or(' ');
    match c {
        _ if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => false,
        '\u{200D}' => {
            is_letter_after_virama(previous, next) || ends_emoji(previous) && is_pictograph(next)
        }
        '\u{200C}' => is_letter_after_virama(previous, next) || is_cursive(previous, next),
        '\u{FE0E}' | '\u{FE0F}' => {
            is_pictograph(previous)
                || matches!(previous, '0'..='9' | '#' | '*') && next == '\u{20E3}'
        }
        '\u{FE00}'..='\u{FE0D}' | '\u{E0100}'..='\u{E01EF}' => previous.script() == Script::Han,
        '\u{180B}'..='\u{180D}' | '\u{180F}' => {
            previous.is_alphabetic() && previous.script() == Script::Mongolian
        }
        '\u{E0020}'..='\u{E007F}' => is_in_flag(chars, at),
        _ => c.is_whitespace() || !is_invisible(c),
    }
}

fn is_letter_after_virama(previous: char, next: char) -> bool {
    canonical_combining_class(previous) == VIRAMA
        && next.is_alphabetic()
        && !is_combining_mark(next)
}

/// Whether both are of a script whose letters join, and would without what is between them.
fn is_cursive(previous: char, next: char) -> bool {
    let joins = |c: char| {
        (c.is_alphabetic() || is_combining_mark(c))
            && matches!(
                c.script(),
                Script::Arabic
                    | Script::Syriac
                    | Script::Mongolian
                    | Script::Nko
                    | Script::Inherited
            )
    };
    joins(previous) && joins(next) && next.script() != Script::Inherited
}

fn is_pictograph(c: char) -> bool {
    !c.is_ascii() && c.is_emoji_char()
}

/// Whether an emoji may end with this: itself, its colour of skin, or its choice of shape.
fn ends_emoji(c: char) -> bool {
    is_pictograph(c) || c == '\u{FE0F}'
}

/// Whether a tag is part of the flag of a region: a black flag, at most six tags, and their end.
fn is_in_flag(chars: &[char], at: usize) -> bool {
    const TAGS: usize = 6;
    let is_tag = |c: &char| matches!(c, '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}');
    let before = chars[..at].iter().rev().take_while(|c| is_tag(c)).count();
    let flag = at.checked_sub(before + 1).map(|flag| chars[flag]);
    let after = chars[at..].iter().take_while(|c| is_tag(c)).count();
    flag == Some('\u{1F3F4}')
        && (1..=TAGS).contains(&(before + after))
        && chars.get(at + after) == Some(&'\u{E007F}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_as_people_write_them_are_shown() {
        for name in [
            "Ada Lovelace",
            "👩‍👩‍👧 赵敏",
            "Engines ⚙️",
            "👩🏽‍❤️‍💋‍👩🏿",
            "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F} Anna",
            "1️⃣ first",
            "می\u{200C}خواهم",
            "क्\u{200D}ष",
            "葛\u{E0100}城",
            "Nguyễn Thị",
            "שָּׁלוֹם",
            "مُحَمَّد",
            "ཨོཾ་མཎི",
            "မြွှေ",
            "ไม่น้ำ",
            "🇪🇺",
            "O’Neill-Smith, Jr.",
        ] {
            assert_eq!(shown(name, 64).as_deref(), Ok(name), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_seen_or_reaches_beyond_is_refused() {
        for name in [
            "Ada\u{200B}",
            "A\u{200B}da",
            "\u{FEFF}Ada",
            "Ada\u{AD}",
            "A\u{2060}da",
            "Ada\u{200D}",
            "A\u{200D}da",
            "A\u{200C}da",
            "👩\u{200D}",
            "👩\u{200D}Ada",
            "👩\u{FE0F}\u{FE0F}",
            "Ada\u{FE0F}",
            "Ada\u{E0061}\u{E0062}",
            "🏴\u{E0061}\u{E0062}",
            "Bo \u{202E}live",
            "Bo\u{200F}",
            "Bo\u{2066}",
            "Bo\u{61C}",
            "a\u{3164}b",
            "a\u{2800}b",
            "a\u{2028}b",
            "a\u{85}b",
            "a\nb",
            "q\u{300}\u{301}\u{302}\u{303}\u{304}",
            "q\u{308}\u{308}",
            "\u{301}Ada",
            "Ada \u{301}",
            "क्\u{200D}\u{94D}\u{200D}",
        ] {
            assert!(matches!(shown(name, 64), Err(TextError::Character(_))), "{name:?}");
        }
        for name in ["", "  ", "\u{200B}", "\u{3164}\u{FEFF}"] {
            assert_eq!(shown(name, 64), Err(TextError::Empty), "{name:?}");
        }
    }

    #[test]
    fn a_length_counts_what_is_left() {
        assert_eq!(shown(&format!("  {}  ", "x".repeat(64)), 64).as_deref(), Ok(&*"x".repeat(64)));
        assert!(shown(&"\u{1112}\u{1161}\u{11AB}".repeat(30), 64).is_ok());
        assert!(shown(&"\u{958}".repeat(64), 64).is_err());
    }

    proptest! {
        #[test]
        fn what_was_shown_may_be_shown_again(text in "\\PC{0,20}") {
            if let Ok(name) = shown(&text, 64) {
                prop_assert_eq!(shown(&name, 64), Ok(name.clone()));
            }
        }
    }
}
