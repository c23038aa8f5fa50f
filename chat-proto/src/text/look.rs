//! What a name looks like.

use unicode_security::confusable_detection;

use super::fold::fold;

/// How often a skeleton is folded and made anew. Twice is enough for every character there is.
const ROUNDS: usize = 4;

/// The forms by which look-alikes are recognised: of the text as it is shown, and of the text once
/// its case is ignored. Sorted, each once, so one or two. Two texts may be taken for each other if
/// they have one of them in common.
///
/// Both are needed. `BILL` and `bi11` look alike in lower case only, since a capital `I` has the
/// skeleton of `l`; `paypaI` and `paypal` do so as they are shown only.
pub(super) fn skeletons(text: &str) -> Vec<String> {
    let mut skeletons = vec![skeleton(text), skeleton(&fold(text))];
    skeletons.sort_unstable();
    skeletons.dedup();
    skeletons
}

/// The skeleton of UTS #39 §4, whose own case is ignored too: some skeletons have capitals, such as
/// the `O` of `0`.
fn skeleton(text: &str) -> String {
    let mut current = text.to_owned();
    for _ in 0..ROUNDS {
        let skeleton: String = confusable_detection::skeleton(&current).collect();
        let next = fold(&skeleton);
        if next == current {
            break;
        }
        current = next;
    }
    current
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alike(one: &str, other: &str) -> bool {
        let others = skeletons(other);
        skeletons(one).iter().any(|skeleton| others.contains(skeleton))
    }

    #[test]
    fn look_alikes_are_recognised_in_either_order_and_case() {
        for (one, other) in [
            ("BILL", "bi11"),
            ("bill", "BI11"),
            ("paypaI", "PAYPAL"),
            ("сосо", "coco"),
            ("modern", "modem"),
            ("user0", "UserO"),
        ] {
            assert!(alike(one, other) && alike(other, one), "{one} {other}");
        }
        for (one, other) in [("ada", "adam"), ("kai", "kal"), ("zoe", "zoë"), ("ali", "all")] {
            assert!(!alike(one, other), "{one} {other}");
        }
    }

    #[test]
    fn a_skeleton_is_stable_for_every_character() {
        // Without the ideographs, which have neither case nor other forms.
        for c in ('\0'..='\u{33FF}').chain('\u{A000}'..='\u{ABFF}').chain('\u{F900}'..='\u{1F9FF}')
        {
            let once = skeleton(c.encode_utf8(&mut [0; 4]));
            assert_eq!(skeleton(&once), once, "U+{:04X}", u32::from(c));
        }
    }

    proptest! {
        /// Whatever the case of each letter.
        #[test]
        fn every_case_looks_alike(text in "[a-z0-9αβγабвç]{1,12}", capitals in any::<u16>()) {
            let mixed: String = text
                .chars()
                .enumerate()
                .flat_map(|(n, c)| if capitals >> n & 1 == 1 { c.to_uppercase().collect() } else { vec![c] })
                .collect();
            prop_assert!(alike(&mixed, &text));
        }
    }
}
