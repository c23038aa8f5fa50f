use std::fmt::Write;
use std::path::Path;

use super::svg::picture;
use super::table::{medians, number};
use super::{CaseRecord, Machine, Record};
use crate::Failure;
use crate::compare::Bar;

/// What stands before the figures.
const PREFACE: &str = "\
# Performance

What `chat-load` measured, written by `chat-load report` from the records of its runs. How it measures
is in [the load harness](../benches/load/README.md). The short of it: a server runs on one processor
and the generator on another, a figure is the server's own processor time or memory, and all sides of
a comparison took turns in every round, so that ratios mean something on any machine while the figures
themselves belong to the one they were taken on. Of a ratio, the median over the rounds is given, and
in parentheses the least and the greatest. A round in which others used over 5 % of the machine was done
again, twice at most in each case.
";

/// Writes `performance.md` and its pictures from all records in a folder.
pub(crate) fn write_report(records: &Path, docs: &Path) -> Result<(), Failure> {
    let mut paths: Vec<_> =
        records.read_dir()?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Failure>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let pictures = docs.join("performance");
    std::fs::create_dir_all(&pictures)?;
    let read = |path: &std::path::PathBuf| -> Result<Record, Failure> {
        let record = serde_json::from_slice(&std::fs::read(path)?);
        record.map_err(|error| format!("{}: {error}", path.display()).into())
    };
    let records = paths.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut text = PREFACE.to_owned();
    machines(&mut text, &records)?;
    summary(&mut text, &records)?;
    for record in &records {
        section(&mut text, record, &pictures)?;
    }
    std::fs::write(docs.join("performance.md"), text)?;
    Ok(())
}

/// What was measured on, for each machine which scenarios.
fn machines(text: &mut String, records: &[Record]) -> Result<(), Failure> {
    let mut machines: Vec<(&Machine, Vec<&str>)> = Vec::new();
    for record in records {
        let name = record.scenario.as_str();
        match machines.iter_mut().find(|(machine, _)| **machine == record.machine) {
            Some((_, names)) => names.push(name),
            None => machines.push((&record.machine, vec![name])),
        }
    }
    match machines.as_slice() {
        [(machine, _)] => write!(text, "\nMeasured: {machine}.\n")?,
        _ => {
            for (machine, names) in machines {
                write!(text, "\nMeasured for {}: {machine}.\n", names.join(", "))?;
            }
        }
    }
    let seconds: f64 =
        records.iter().flat_map(|record| &record.cases).map(|case| case.seconds).sum();
    writeln!(text, "It took {:.0} minutes.", (seconds / 60.0).ceil())?;
    Ok(())
}

/// Every bar that asks something, met or missed.
fn summary(text: &mut String, records: &[Record]) -> Result<(), Failure> {
    text.push_str("\n## Bars\n\n| scenario | case | asked | measured | |\n|---|---|---|---|---|\n");
    for record in records {
        for case in &record.cases {
            for bar in case.bars.iter().filter(|bar| bar.is_asked()) {
                let (value, verdict) = judged(bar, case);
                let (name, words) = (&record.scenario, bar.words());
                writeln!(text, "| {name} | {} | {words} | {value} | {verdict} |", case.name)?;
            }
        }
    }
    Ok(())
}

/// What a bar came to, and whether that is as it should be.
fn judged(bar: &Bar, case: &CaseRecord) -> (String, &'static str) {
    match bar.judge(&case.outcome) {
        Some(verdict) if !bar.is_asked() => (verdict.value.to_string(), ""),
        Some(verdict) if verdict.met => (verdict.value.to_string(), "met"),
        Some(verdict) => (verdict.value.to_string(), "**missed**"),
        None => (String::new(), "**not measured**"),
    }
}

fn section(text: &mut String, record: &Record, pictures: &Path) -> Result<(), Failure> {
    let name = &record.scenario;
    write!(text, "\n## {name}\n\n{}.\n", record.about)?;
    if let Some(svg) = picture(&record.cases) {
        std::fs::write(pictures.join(name).with_extension("svg"), svg)?;
        write!(text, "\n![{}](performance/{name}.svg)\n", record.about)?;
    }
    for case in &record.cases {
        write!(text, "\n### {name}: {}\n\n", case.name)?;
        bars(text, case)?;
        figures(text, case)?;
    }
    Ok(())
}

fn bars(text: &mut String, case: &CaseRecord) -> Result<(), Failure> {
    if case.bars.is_empty() {
        return Ok(());
    }
    text.push_str("| asked | measured | |\n|---|---|---|\n");
    for bar in &case.bars {
        let (value, verdict) = judged(bar, case);
        writeln!(text, "| {} | {value} | {verdict} |", bar.words())?;
    }
    text.push('\n');
    Ok(())
}

fn figures(text: &mut String, case: &CaseRecord) -> Result<(), Failure> {
    let sides = case.outcome.sides();
    writeln!(text, "| medians | {} |", sides.join(" | "))?;
    writeln!(text, "|---|{}", "---:|".repeat(sides.len()))?;
    for (metric, values) in medians(case) {
        let values = values.into_iter().map(|value| value.map(number).unwrap_or_default());
        writeln!(text, "| {metric} | {} |", values.collect::<Vec<_>>().join(" | "))?;
    }
    let rounds = case.outcome.rounds();
    write!(text, "\n{rounds} rounds in {:.0} s", case.seconds)?;
    if let Some(others) = case.outcome.others() {
        let percent = |share: f64| share * 100.0;
        let (middle, most) = (percent(others.median), percent(others.most));
        write!(text, "; others used {middle:.1} % of the machine meanwhile, {most:.1} % at most")?;
    }
    text.push('.');
    match case.outcome.repeated() {
        0 => {}
        again => write!(text, " Done again, for the noise of others: {again}.")?,
    }
    match case.outcome.disturbed() {
        0 => {}
        noisy => write!(text, " **Not quiet: {noisy} of these rounds.**")?,
    }
    text.push('\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Comparison, Figures};

    #[test]
    fn a_report_says_what_was_missed() {
        let mut comparison = Comparison::new();
        comparison.side("server", || Ok(Figures::default().with("cost", 3.0)));
        comparison.side("limit", || Ok(Figures::default().with("cost", 2.0)));
        let bar = |most| {
            let bar = "metric = 'cost'\nof = ['server']\nover = ['limit']\nat-most = ";
            toml::from_str(&format!("{bar}{most}")).unwrap()
        };
        let outcome = comparison.run(1, 0).unwrap();
        let bars = vec![bar(1.6), bar(1.4)];
        let case = CaseRecord { name: "one".into(), bars, outcome, seconds: 61.0 };
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::of(folder.path()).unwrap();
        let (scenario, about) = ("example".into(), "An example".into());
        let record = Record { scenario, about, machine, cases: vec![case] };
        record.write_to(folder.path()).unwrap();
        write_report(folder.path(), folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join("performance.md")).unwrap();
        assert!(text.contains("| cost: server / limit ≤ 1.6 | 1.50 (1.50–1.50) | met |"), "{text}");
        assert!(text.contains("≤ 1.4 | 1.50 (1.50–1.50) | **missed** |"), "{text}");
        assert!(text.contains("| example | one | cost: server / limit ≤ 1.4 |"), "{text}");
        assert!(text.contains("It took 2 minutes."), "{text}");
        assert!(folder.path().join("performance/example.svg").is_file());
    }
}
