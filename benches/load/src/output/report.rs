use std::fmt::Write;
use std::path::Path;

use super::svg::picture;
use super::table::{QUIET, medians, number};
use super::{CaseRecord, Record};
use crate::Failure;

/// What stands before the figures.
const PREFACE: &str = "\
# Performance

What `chat-load` measured, written by `chat-load report` from the records of its runs. How it measures
is in [the load harness](../benches/load/README.md). The short of it: a server runs on one processor
and the generator on another, a figure is the server's own processor time or memory, and all sides of
a comparison took turns in every round, so that ratios mean something on any machine while the figures
themselves belong to the one they were taken on. Of a ratio, the median over the rounds is given, and
in parentheses the least and the greatest.
";

/// Writes `performance.md` and its pictures from all records in a folder.
pub(crate) fn write_report(records: &Path, docs: &Path) -> Result<(), Failure> {
    let mut paths: Vec<_> =
        records.read_dir()?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Failure>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let pictures = docs.join("performance");
    std::fs::create_dir_all(&pictures)?;
    let mut text = PREFACE.to_owned();
    for path in paths {
        let record: Record = serde_json::from_slice(&std::fs::read(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        section(&mut text, &record, &pictures)?;
    }
    std::fs::write(docs.join("performance.md"), text)?;
    Ok(())
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
        let (value, verdict) = match bar.judge(&case.outcome) {
            Some(verdict) if !bar.is_asked() => (verdict.value.to_string(), ""),
            Some(verdict) if verdict.met => (verdict.value.to_string(), "met"),
            Some(verdict) => (verdict.value.to_string(), "**missed**"),
            None => (String::new(), "not measured"),
        };
        writeln!(text, "| {} | {value} | {verdict} |", bar.words().replace('|', "\\|"))?;
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
    let others = case.outcome.others().map_or(0.0, |others| others.median);
    let quiet = if others > QUIET { " This was not a quiet machine." } else { "" };
    writeln!(
        text,
        "\n{rounds} rounds; others used {:.1} % of the machine meanwhile.{quiet}",
        others * 100.0
    )?;
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
        let outcome = comparison.run(1).unwrap();
        let case = CaseRecord { name: "one".into(), bars: vec![bar(1.6), bar(1.4)], outcome };
        let record =
            Record { scenario: "example".into(), about: "An example".into(), cases: vec![case] };
        let folder = tempfile::tempdir().unwrap();
        record.write_to(folder.path()).unwrap();
        write_report(folder.path(), folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join("performance.md")).unwrap();
        assert!(text.contains("| cost: server / limit ≤ 1.6 | 1.50 (1.50–1.50) | met |"), "{text}");
        assert!(text.contains("≤ 1.4 | 1.50 (1.50–1.50) | **missed** |"), "{text}");
        assert!(folder.path().join("performance/example.svg").is_file());
    }
}
