//! The committed counts, as a file that people read and compare line by line.

use std::fmt::Write;

use crate::Counts;

const HEAD: &str = "\
# Instructions of each hot path, as `make instructions` counts them. Written by
# `make instructions-baseline`: say in the commit what a growth is worth.

";

pub(crate) fn read(text: &str) -> Result<Counts, toml::de::Error> {
    toml::from_str(text)
}

pub(crate) fn write(counts: &Counts) -> String {
    counts.iter().fold(HEAD.to_owned(), |mut text, (name, count)| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:?} = {}", grouped(*count));
        text
    })
}

/// A number with its thousands apart, as TOML has it.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let counts = Counts::from([("decode a b".to_owned(), 1_234_567), ("x".to_owned(), 12)]);
        let text = write(&counts);
        assert!(text.ends_with("\"decode a b\" = 1_234_567\n\"x\" = 12\n"), "{text}");
        assert_eq!(read(&text).expect("a baseline"), counts);
    }
}
