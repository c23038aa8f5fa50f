use std::collections::BTreeSet;
use std::fmt::Write;

use super::CaseRecord;
use crate::compare::QUIET;

/// The medians of every side, and what came of each bar.
pub(crate) fn table(case: &CaseRecord) -> String {
    let outcome = &case.outcome;
    let sides = outcome.sides();
    let mut text = format!("\n{}: medians of {} rounds\n", case.name, outcome.rounds());
    // A string takes whatever is written to it.
    let _ = write!(text, "{:<28}", "");
    for side in sides {
        let _ = write!(text, " {side:>14}");
    }
    text.push('\n');
    for (metric, values) in medians(case) {
        let _ = write!(text, "{metric:<28}");
        for value in values {
            let _ = write!(text, " {:>14}", value.map(number).unwrap_or_default());
        }
        text.push('\n');
    }
    for bar in &case.bars {
        let verdict = match bar.judge(outcome) {
            Some(verdict) if !bar.is_asked() => verdict.value.to_string(),
            Some(verdict) if verdict.met => format!("{} met", verdict.value),
            Some(verdict) => format!("{} MISSED", verdict.value),
            None => "not measured".into(),
        };
        let _ = writeln!(text, "{}: {verdict}", bar.words());
    }
    if let Some(others) = outcome.others() {
        let quiet = if others.median > QUIET { ": NOT QUIET, measure again" } else { "" };
        let _ = writeln!(
            text,
            "others used {:.1} % of the machine, {:.1} % at most{quiet}; {:.0} s in all",
            others.median * 100.0,
            others.most * 100.0,
            case.seconds
        );
    }
    text
}

/// Every figure with the medians of all sides.
pub(super) fn medians(case: &CaseRecord) -> Vec<(&String, Vec<Option<f64>>)> {
    let (outcome, sides) = (&case.outcome, case.outcome.sides());
    let figures = sides.iter().flat_map(|side| outcome.figures(side));
    let metrics: BTreeSet<&String> = figures.flat_map(|figures| figures.values.keys()).collect();
    let median = |side: &String, metric: &str| Some(outcome.spread(side, metric)?.median);
    metrics
        .into_iter()
        .map(|metric| (metric, sides.iter().map(|side| median(side, metric)).collect()))
        .collect()
}

/// With about three digits.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
