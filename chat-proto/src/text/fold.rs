//! What was typed and what is stored, as the two are compared.

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization;

use super::{TextError, check_length};

/// A text as it is compared with others: two texts are the same name exactly if this is the same.
///
/// It ignores the normal form and the case: *canonical caseless matching* of the Unicode Standard
/// (§3.13.5, D145), with the full case folding of `CaseFolding.txt` (`ß` is `ss`, final `ς` is `σ`).
/// The result is in normalisation form C, and folding it again changes nothing.
///
/// Every name, search and look-up goes through this function, and no other. What is stored of it is
/// a key; stores compute their keys anew when [`KEY_VERSION`] grows.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // D145 decomposes before it folds: U+0345 becomes a letter by folding, and must have found its
    // place among the marks before that.
    let decomposed: String = text.nfd().collect();
    UniCase::unicode(decomposed).to_folded_case().nfc().collect()
}

/// Which rules [`fold`] and [`Username::skeletons`](super::Username::skeletons) follow: 1 was lower
/// case, 2 is full case folding of what is normalised.
pub const KEY_VERSION: u32 = 2;

/// A text in normalisation form C, in which its characters are counted: the same letters have the
/// same length, however they were typed.
pub(super) fn normalized(text: &str, max: usize) -> Result<String, TextError> {
    let text: String = if text.is_ascii() { text.to_owned() } else { text.nfc().collect() };
    check_length(&text, max)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    #[test]
    fn case_and_normal_form_make_no_difference() {
        for (one, other) in [
            ("Zoe\u{308}", "zo\u{eb}"),
            ("ΟΔΟΣ", "οδος"),
            ("STRASSE", "straße"),
            ("ẞ", "ss"),
            ("\u{212B}", "a\u{30A}"),
            ("각", "\u{1100}\u{1161}\u{11A8}"),
            ("\u{958}", "\u{915}\u{93C}"),
            ("\u{1FB3}", "\u{3B1}\u{345}"),
            ("α\u{345}\u{301}", "α\u{301}\u{345}"),
            ("İ", "i\u{307}"),
            ("Ꭰ", "ꭰ"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        assert_ne!(fold("ı"), fold("i"));
        assert_ne!(fold("zoe"), fold("zoë"));
    }

    #[test]
    fn folding_each_character_twice_is_folding_it_once() {
        // Without the ideographs, which have neither case nor other forms.
        for c in ('\0'..='\u{33FF}').chain('\u{A000}'..='\u{ABFF}').chain('\u{F900}'..='\u{1F9FF}')
        {
            let once = fold(c.encode_utf8(&mut [0; 4]));
            assert_eq!(fold(&once), once, "U+{:04X}", u32::from(c));
        }
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,40}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn every_form_folds_alike(text in "[\\p{L}\\p{M}\\p{N}]{0,20}") {
            let folded = fold(&text);
            prop_assert_eq!(&fold(&text.nfc().collect::<String>()), &folded);
            prop_assert_eq!(&fold(&text.nfd().collect::<String>()), &folded);
        }

        #[test]
        fn every_case_folds_alike(text in "[a-zß-öø-ÿα-ωа-яա-ֆ]{0,20}") {
            prop_assert_eq!(fold(&text.to_uppercase()), fold(&text));
        }

        #[test]
        fn a_length_is_that_of_the_letters(text in "[\\p{L}\\p{M}]{0,40}", max in 0_usize..50) {
            let forms: [String; 2] = [text.nfc().collect(), text.nfd().collect()];
            let [composed, decomposed] = forms.map(|form| normalized(&form, max));
            prop_assert_eq!(composed, decomposed);
        }
    }
}
