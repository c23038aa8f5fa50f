//! Who a text may mention. Only the store knows who is a member, so this finds the places, and says
//! which names there count before which.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::GraphemeCursor;

use super::Username;
use super::username::is_allowed;

/// The most members that one message mentions.
pub const MENTIONS_MAX: usize = 20;

/// The most names that are tried at one place: more only for a name with over a dozen dots and the
/// like, of which the shortest and the longest are tried.
const NAMES: usize = 16;

/// A place in a text where somebody may be mentioned: what follows an `@` that does not continue a
/// word.
#[derive(Clone, PartialEq, Eq)]
pub struct Mention {
    /// Where it begins, in bytes of the normalised text.
    start: usize,
    /// What follows the `@` and could be a name.
    text: Box<str>,
    /// Where a name in `text` may end, the nearest first.
    ends: Box<[usize]>,
}

impl Mention {
    /// The places in a text, in its order. A text without `@` costs one look for it.
    pub(super) fn all(text: &str) -> Vec<Self> {
        if !text.contains('@') {
            return Vec::new();
        }
        if text.is_ascii() { places(text) } else { places(&text.nfc().collect::<String>()) }
    }

    /// The names that may be meant, each with its end, the longest first: of several that are
    /// members' the first counts.
    fn names(&self) -> impl Iterator<Item = (usize, Username)> {
        let ends = self.ends.iter().rev();
        ends.map(|&end| (self.start + end, Username::from_stored(self.text[..end].to_owned())))
    }

    /// All keys under which a store may find those names.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        self.names().flat_map(|(_, name)| [name.own_key(), name.key()])
    }
}

/// Never shows the text, as [`MessageBody`](super::MessageBody) does not.
impl fmt::Debug for Mention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mention({} bytes)", self.text.len())
    }
}

/// The members whom a text mentions, each once, in its order: at most [`MENTIONS_MAX`].
///
/// `member` says who is the member with a [key](Mention::keys). Names that no member has count for
/// nothing.
pub fn mentioned<M: PartialEq>(
    mentions: &[Mention],
    mut member: impl FnMut(&str) -> Option<M>,
) -> Vec<M> {
    let mut mentioned = Vec::new();
    let mut taken = 0;
    for mention in mentions {
        if mentioned.len() == MENTIONS_MAX {
            break;
        }
        // An `@` inside of the name that came before.
        if mention.start < taken {
            continue;
        }
        let mut names = mention.names();
        let found = names.find_map(|(end, name)| {
            let member = member(&name.own_key()).or_else(|| member(&name.key()))?;
            Some((end, member))
        });
        if let Some((end, member)) = found {
            taken = end;
            if !mentioned.contains(&member) {
                mentioned.push(member);
            }
        }
    }
    mentioned
}

fn places(text: &str) -> Vec<Mention> {
    let continues = |c: char| is_letter(c) || matches!(c, '.' | '_' | '-' | '~' | ':');
    let mut found = Vec::new();
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        if c == '@' && !continues(previous) {
            let start = at + 1;
            let longest = text[start..]
                .char_indices()
                .take(Username::STORED_CHARS)
                .take_while(|(_, c)| is_allowed(*c))
                .last()
                .map_or(0, |(last, c)| last + c.len_utf8());
            let ends = ends(text, start, longest);
            if !ends.is_empty() {
                let text = text[start..start + longest].into();
                found.push(Mention { start, text, ends });
            }
        }
        previous = c;
    }
    found
}

/// Where a name that begins at `start` and has at most `longest` bytes may end: between two letters
/// as people see them (extended grapheme clusters, UAX #29), unless the word goes on.
fn ends(text: &str, start: usize, longest: usize) -> Box<[usize]> {
    let mut cursor = GraphemeCursor::new(start, text.len(), true);
    let mut ends = Vec::new();
    let run = &text[start..start + longest];
    let places = run.char_indices().map(|(at, c)| at + c.len_utf8());
    // The longest that does not end in punctuation, which may be the sentence's.
    let mut last_letter = None;
    for end in places {
        let next = text[start + end..].chars().next();
        cursor.set_cursor(start + end);
        if next.is_some_and(is_letter) || cursor.is_boundary(text, 0) != Ok(true) {
            continue;
        }
        if run[..end].ends_with(is_letter) {
            last_letter = Some(end);
        }
        ends.push(end);
    }
    if ends.len() > NAMES {
        let last = ends.last().copied();
        ends.truncate(NAMES - 2);
        for end in last_letter.into_iter().chain(last) {
            if ends.last().is_none_or(|before| *before < end) {
                ends.push(end);
            }
        }
    }
    ends.into()
}

/// Whether a character belongs to a word: a letter, a digit, or a mark on one.
fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whom a text mentions where these are the members.
    fn told<'m>(text: &str, members: &[&'m str]) -> Vec<&'m str> {
        let known: Vec<(String, &str)> = members
            .iter()
            .map(|member| (Username::sought(member).unwrap().key(), *member))
            .collect();
        mentioned(&Mention::all(text), |key| {
            known.iter().find(|(known, _)| known == key).map(|(_, member)| *member)
        })
    }

    #[test]
    fn mentions_are_found_where_a_person_would_see_them() {
        let members = ["ada", "bo.b", "Zoë", "bob"];
        assert_eq!(told("hi @Ada, and @bo.b.", &members), ["ada", "bo.b"]);
        assert_eq!(told("(@ada) @ada *@bob_*", &members), ["ada", "bob"]);
        assert_eq!(told("@@ada", &members), ["ada"]);
        assert_eq!(told("@ada’s @ada's @bob👍", &members), ["ada", "bob"]);
        assert!(told("mail me at cy@ada or e\u{301}@bob", &members).is_empty());
        assert!(told("@ @@ @. @adamant @bobby", &members).is_empty());
        assert_eq!(told("@Zoë! @ada@example.org", &members), ["Zoë", "ada"]);
    }

    #[test]
    fn a_mention_is_matched_once_it_is_normalised() {
        let members = ["zoe", "zoë", "strasse", "οδοσ"];
        for text in ["@zoe\u{308}", "@ZOE\u{308}!", "@zo\u{eb}"] {
            assert_eq!(told(text, &members), ["zoë"], "{text}");
        }
        assert!(told("@zoe\u{308}", &["zoe"]).is_empty());
        assert_eq!(told("@Straße @ΟΔΟς", &members), ["strasse", "οδοσ"]);
    }

    #[test]
    fn a_name_never_ends_within_a_letter() {
        assert_eq!(told("@सत्या", &["सत", "सत्या"]), ["सत्या"]);
        assert!(told("@सत्या", &["सत", "सत्"]).is_empty());
        assert!(
            told("@ada\u{200D}x @ada\u{FE0F} @ada1\u{FE0F}\u{20E3}", &["ada", "ada1"]).is_empty()
        );
        assert!(told("@각", &["가"]).is_empty());
    }

    #[test]
    fn the_longest_name_counts() {
        let members = ["x", "x.", "y-", "ada", "ada@example.org", "a.b", "@@@"];
        assert_eq!(told("@x. @y-, @x", &members), ["x.", "y-", "x"]);
        assert_eq!(told("@ada@example.org!", &members), ["ada@example.org"]);
        assert_eq!(told("@a.b.c.", &members), ["a.b"]);
        assert_eq!(told("@@@@ @ada", &members), ["@@@", "ada"]);
        let segments = ["a"; 30].join(".");
        assert_eq!(told(&format!("@{segments}..."), &[&segments]), [segments.as_str()]);
    }

    #[test]
    fn names_that_nobody_has_do_not_count() {
        let mut text: String = (0..500).map(|n| format!("@nobody{n} ")).collect();
        text.push_str("@ada");
        assert_eq!(told(&text, &["ada"]), ["ada"]);
        let members: Vec<String> = (0..30).map(|n| format!("user{n}x")).collect();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        let text: String = members.iter().map(|member| format!("@{member} ")).collect();
        assert_eq!(told(&text, &members), &members[..MENTIONS_MAX]);
    }

    #[test]
    fn what_people_write_is_not_logged() {
        assert!(!format!("{:?}", Mention::all("@secret")).contains("secret"));
    }

    proptest! {
        #[test]
        fn a_member_is_told_whatever_surrounds_the_name(
            name in "[a-zø-ÿа-яᄀ-ᄒअ-ह][a-z0-9._-]{0,8}[a-z0-9]",
            before in "(|.{0,20}[ (\n])",
            after in "(|[ !?,).-].{0,20})",
        ) {
            let text = format!("{}@{name}{after}", before.replace('@', ""));
            prop_assert_eq!(told(&text, &[&name]), [name.as_str()]);
        }

        #[test]
        fn mentions_never_panic_and_are_bounded(text in "[@a.\u{308}é👍 ]{0,300}") {
            let mentions = Mention::all(&text);
            let names: usize = mentions.iter().map(|mention| mention.names().count()).sum();
            prop_assert!(names <= 2 * text.chars().count());
        }
    }
}
