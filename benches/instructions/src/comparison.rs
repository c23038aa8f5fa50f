//! What was counted beside what is committed.

use std::fmt;

use crate::Counts;

/// By how many percent a count may differ before somebody has to write it down anew.
const TOLERANCE: u64 = 5;

/// Each count and what has become of it.
#[derive(Debug)]
pub(crate) struct Comparison(Vec<Row>);

#[derive(Debug)]
struct Row {
    name: String,
    committed: Option<u64>,
    counted: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Level,
    Grown,
    Shrunk,
    /// Counted, but not committed.
    New,
    /// Committed, but counted no longer.
    Gone,
}

impl Comparison {
    pub(crate) fn of(committed: &Counts, counted: &Counts) -> Self {
        let gone = committed.keys().filter(|name| !counted.contains_key(*name));
        let rows = counted.keys().chain(gone).map(|name| Row {
            name: name.clone(),
            committed: committed.get(name).copied(),
            counted: counted.get(name).copied(),
        });
        Self(rows.collect())
    }

    /// Whether nothing has grown too much, come anew or gone without being written down.
    pub(crate) fn is_passed(&self) -> bool {
        self.0.iter().all(|row| matches!(row.change(), Change::Level | Change::Shrunk))
    }
}

impl Row {
    fn change(&self) -> Change {
        match (self.committed, self.counted) {
            (Some(before), Some(now)) if now * 100 > before * (100 + TOLERANCE) => Change::Grown,
            (Some(before), Some(now)) if now * 100 < before * (100 - TOLERANCE) => Change::Shrunk,
            (None, Some(_)) => Change::New,
            (Some(_), None) => Change::Gone,
            _ => Change::Level,
        }
    }

    /// By how much the count has changed.
    #[expect(clippy::cast_precision_loss, reason = "one digit of it is shown")]
    fn percent(&self) -> Option<f64> {
        let (before, now) = (self.committed? as f64, self.counted? as f64);
        (before > 0.0).then(|| (now / before - 1.0) * 100.0)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
        let row = |name: &str, committed: &str, counted: &str, change: &str| {
            format!("{name:<36} {committed:>10} {counted:>10} {change:>8}")
        };
        writeln!(f, "{}", row("instructions", "baseline", "now", "change"))?;
        for line in &self.0 {
            let change =
                line.percent().map(|percent| format!("{percent:+.1} %")).unwrap_or_default();
            let (committed, counted) = (number(line.committed), number(line.counted));
            writeln!(f, "{}", row(&line.name, &committed, &counted, &change))?;
        }
        for line in &self.0 {
            let (name, percent) = (&line.name, line.percent().unwrap_or_default().abs());
            match line.change() {
                Change::Level => continue,
                Change::Grown => writeln!(
                    f,
                    "instructions: {name} takes {percent:.1} % more than the baseline, {TOLERANCE} % are allowed"
                ),
                Change::Shrunk => writeln!(
                    f,
                    "instructions: {name} takes {percent:.1} % less: write it down, so that it stays so"
                ),
                Change::New => writeln!(f, "instructions: {name} is not in the baseline"),
                Change::Gone => {
                    writeln!(f, "instructions: {name} is in the baseline and was not counted")
                }
            }?;
        }
        if !self.is_passed() {
            writeln!(
                f,
                "instructions: make it cheaper, or, if it is worth what it costs, run `make instructions-baseline`\n\
                 and say in the commit why"
            )?;
        } else if self.0.iter().any(|row| row.change() == Change::Shrunk) {
            writeln!(f, "instructions: passed; `make instructions-baseline` writes them down")?;
        } else {
            writeln!(f, "instructions: passed, nothing takes over {TOLERANCE} % more than it did")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, u64)]) -> Counts {
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    fn of_one(committed: u64, counted: u64) -> Comparison {
        Comparison::of(&counts(&[("decode", committed)]), &counts(&[("decode", counted)]))
    }

    #[test]
    fn five_percent_more_pass_and_anything_above_fails() {
        assert!(of_one(1_000, 1_050).is_passed());
        let grown = of_one(1_000, 1_051);
        assert!(!grown.is_passed());
        let text = grown.to_string();
        assert!(text.contains("decode takes 5.1 % more"), "{text}");
        assert!(text.contains("make instructions-baseline"), "{text}");
    }

    #[test]
    fn what_has_shrunk_passes_and_is_to_be_written_down() {
        assert!(!of_one(1_000, 950).to_string().contains("less"));
        let shrunk = of_one(1_000, 949);
        assert!(shrunk.is_passed());
        let text = shrunk.to_string();
        assert!(text.contains("decode takes 5.1 % less: write it down"), "{text}");
        assert!(text.contains("make instructions-baseline"), "{text}");
    }

    #[test]
    fn what_is_not_in_the_baseline_fails() {
        let new = Comparison::of(&counts(&[]), &counts(&[("decode", 1)]));
        assert!(!new.is_passed());
        assert!(new.to_string().contains("decode is not in the baseline"));
    }

    #[test]
    fn what_is_no_longer_counted_fails() {
        let gone =
            Comparison::of(&counts(&[("decode", 1), ("encode", 1)]), &counts(&[("encode", 1)]));
        assert!(!gone.is_passed());
        assert!(gone.to_string().contains("decode is in the baseline and was not counted"));
    }
}
