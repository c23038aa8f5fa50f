use serde::{Deserialize, Serialize};

use super::{Interleaved, Spread};

/// What is asked of a figure: of the ratio of sides, or of one side by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Bar {
    /// Which figure.
    pub(crate) metric: String,
    /// The side, or sides whose figures are added.
    pub(crate) of: Vec<String>,
    /// What they are divided by; nothing when the figure itself is meant.
    #[serde(default)]
    pub(crate) over: Vec<String>,
    /// It must not be greater.
    pub(crate) at_most: Option<f64>,
    /// It must not be less.
    pub(crate) at_least: Option<f64>,
}

/// What came of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Verdict {
    /// The ratio or the figure, over the rounds.
    pub(crate) value: Spread,
    /// Whether its median is as it should be.
    pub(crate) met: bool,
}

impl Bar {
    /// None when the figure is missing.
    pub(crate) fn judge(&self, outcome: &Interleaved) -> Option<Verdict> {
        let value = match (self.over.as_slice(), self.of.as_slice()) {
            ([], [side]) => outcome.spread(side, &self.metric)?,
            ([], _) => return None,
            _ => outcome.ratio(&self.metric, &self.of, &self.over)?.spread(),
        };
        let met = self.at_most.is_none_or(|most| value.median <= most)
            && self.at_least.is_none_or(|least| value.median >= least);
        Some(Verdict { value, met })
    }

    /// Whether anything is asked; otherwise it is only told.
    pub(crate) const fn is_asked(&self) -> bool {
        self.at_most.is_some() || self.at_least.is_some()
    }

    /// What is asked, in words.
    pub(crate) fn words(&self) -> String {
        let bound = match (self.at_most, self.at_least) {
            (Some(most), Some(least)) => format!("≥ {least} and ≤ {most}"),
            (Some(most), None) => format!("≤ {most}"),
            (None, Some(least)) => format!("≥ {least}"),
            (None, None) => "told only".into(),
        };
        if self.over.is_empty() {
            return format!("{} of {} {bound}", self.metric, self.of.join(" + "));
        }
        let over = match self.over.as_slice() {
            [one] => one.clone(),
            many => format!("({})", many.join(" + ")),
        };
        format!("{}: {} / {over} {bound}", self.metric, self.of.join(" + "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Comparison, Figures};

    fn bar(text: &str) -> Bar {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_bar_is_met_by_the_median() {
        let mut comparison = Comparison::new();
        let mut values = [9.0, 3.0, 2.0, 4.0].into_iter();
        comparison.side("server", move || {
            Ok(Figures::default().with("cost", values.next().unwrap_or_default()))
        });
        comparison.side("limit", || Ok(Figures::default().with("cost", 2.0)));
        let outcome = comparison.run(3, 0).unwrap();
        let ratio = "metric = 'cost'\nof = ['server']\nover = ['limit']\n";
        let verdict = bar(&format!("{ratio}at-most = 1.5")).judge(&outcome).unwrap();
        assert_eq!((verdict.value.median, verdict.met), (1.5, true));
        assert!(!bar(&format!("{ratio}at-most = 1.4")).judge(&outcome).unwrap().met);
        assert!(!bar(&format!("{ratio}at-least = 1.6")).judge(&outcome).unwrap().met);
        let alone = "metric = 'cost'\nof = ['limit']\nat-most = 2";
        assert!(bar(alone).judge(&outcome).unwrap().met);
        assert_eq!(bar("metric = 'other'\nof = ['limit']").judge(&outcome), None);
    }
}
