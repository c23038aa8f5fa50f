use std::path::Path;

use serde::Deserialize;

use super::Work;
use crate::Failure;
use crate::compare::Bar;
use crate::target::Target;

/// A file of `scenarios/`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Scenario {
    /// Its name, as the file's.
    pub(crate) name: String,
    /// What is measured, for people.
    pub(crate) about: String,
    /// Rounds that count.
    #[serde(default = "five")]
    pub(crate) rounds: usize,
    /// What is done.
    pub(crate) cases: Vec<Case>,
}

/// Some work that several sides do in turns.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) sides: Vec<SideSpec>,
    pub(crate) bars: Vec<Bar>,
}

/// One side: who does which work.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SideSpec {
    pub(crate) name: String,
    pub(crate) target: Target,
    pub(crate) work: Work,
}

/// A side as it is written: a target, or a target with another name and what differs in its work.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenSide {
    Plain(Target),
    Other {
        name: String,
        target: Target,
        #[serde(flatten)]
        work: toml::Table,
    },
}

const fn five() -> usize {
    5
}

impl Scenario {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        text.parse().map_err(|error| format!("{}: {error}", path.display()).into())
    }
}

impl std::str::FromStr for Scenario {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let scenario: Self = toml::from_str(text)?;
        if scenario.rounds == 0 {
            return Err("at least one round is needed".into());
        }
        Ok(scenario)
    }
}

impl TryFrom<toml::Table> for Case {
    type Error = Failure;

    /// What is not a name, a side or a bar describes the work of all sides.
    fn try_from(mut table: toml::Table) -> Result<Self, Failure> {
        let mut take = |key: &str| table.remove(key);
        let name: String = take("name").ok_or("a case needs a name")?.try_into()?;
        let sides: Vec<WrittenSide> = take("sides").ok_or("a case needs sides")?.try_into()?;
        let bars: Vec<Bar> = take("bars").map_or(Ok(Vec::new()), toml::Value::try_into)?;
        let side = |side: WrittenSide| {
            let (name, target, other) = match side {
                WrittenSide::Plain(target) => (plain(target)?, target, toml::Table::new()),
                WrittenSide::Other { name, target, work } => (name, target, work),
            };
            // Other work has nothing in common with that of the case.
            let mut work =
                if other.contains_key("work") { toml::Table::new() } else { table.clone() };
            work.extend(other);
            let work = toml::Value::Table(work).try_into();
            let work = work.map_err(|error| format!("{name}: {error}"))?;
            Ok::<_, Failure>(SideSpec { name, target, work })
        };
        let sides = sides.into_iter().map(side).collect::<Result<Vec<_>, _>>()?;
        for named in bars.iter().flat_map(|bar| bar.of.iter().chain(&bar.over)) {
            if !sides.iter().any(|side| side.name == *named) {
                return Err(format!("{name}: a bar names {named}, which is no side").into());
            }
        }
        Ok(Self { name, sides, bars })
    }
}

/// A target as files name it.
fn plain(target: Target) -> Result<String, Failure> {
    Ok(toml::Value::try_from(target)?.as_str().ok_or("a target is a word")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        name = "example"
        about = "An example"

        [[cases]]
        name = "some"
        work = "messages"
        members = 2
        outstanding = 1
        messages = 10
        warm-up = 1
        sides = ["server", { name = "large", target = "raw", members = 20 }]
        bars = [{ metric = "cpu", of = ["server"], over = ["large"], at-most = 1.5 }]
    "#;

    #[test]
    fn a_side_takes_the_work_of_its_case_and_changes_it() {
        let scenario: Scenario = TEXT.parse().unwrap();
        assert_eq!(scenario.rounds, 5);
        let sides = &scenario.cases[0].sides;
        let names: Vec<&str> = sides.iter().map(|side| side.name.as_str()).collect();
        assert_eq!(names, ["server", "large"]);
        assert_eq!(sides.iter().map(|side| side.work.world().users).collect::<Vec<_>>(), [2, 20]);
    }

    #[test]
    fn mistakes_are_told() {
        for (from, to) in [
            ("over = [\"large\"]", "over = [\"small\"]"),
            ("work = \"messages\"", "work = \"nothing\""),
            ("sides", "side"),
            ("[[cases]]", "rounds = 0\n[[cases]]"),
            ("messages = 10", ""),
        ] {
            let text = TEXT.replacen(from, to, 1);
            assert!(text.parse::<Scenario>().is_err(), "{to}");
        }
    }

    #[test]
    fn the_files_of_this_folder_are_scenarios() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut count = 0;
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let scenario = Scenario::read(&path).unwrap();
            assert_eq!(path.file_stem().unwrap().to_str(), Some(scenario.name.as_str()));
            assert!(scenario.rounds >= 5, "{}", scenario.name);
            count += 1;
        }
        assert!(count > 0);
    }
}
