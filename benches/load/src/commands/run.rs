use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use super::pin;
use crate::Failure;
use crate::compare::{Comparison, Interleaved};
use crate::output::{CaseRecord, Machine, Record, table};
use crate::scenario::{Case, Scenario, probe};
use crate::target::{Lengths, Settings, Stage, Target, Template};

/// `chat-load run`: one or several scenarios.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// Names of scenarios, or paths of files
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// The folder of the scenarios that are named
    #[arg(long, default_value = "benches/load/scenarios")]
    scenario_folder: PathBuf,
    /// Only cases whose name has this in it
    #[arg(long)]
    case: Option<String>,
    /// Another number of rounds
    #[arg(long)]
    rounds: Option<usize>,
    /// How many rounds of a case are done again when others used much of the machine
    #[arg(long, default_value_t = 2)]
    repeats: usize,
    /// Only these sides, by their names
    #[arg(long, value_delimiter = ',')]
    sides: Vec<String>,
    #[command(flatten)]
    settings: Settings,
}

impl Run {
    pub(super) fn run(&self) -> Result<(), Failure> {
        if !self.settings.unpinned {
            pin(self.settings.client_core)?;
        }
        for scenario in &self.scenarios {
            let path = match scenario.extension() {
                Some(_) => scenario.clone(),
                None => self.scenario_folder.join(scenario).with_extension("toml"),
            };
            self.play(&Scenario::read(&path)?)?;
        }
        Ok(())
    }

    fn play(&self, scenario: &Scenario) -> Result<(), Failure> {
        let began = Instant::now();
        let rounds = self.rounds.unwrap_or(scenario.rounds);
        println!("{}: {} ({rounds} rounds in turns)", scenario.name, scenario.about);
        let machine = Machine::of(&self.settings.folder)?;
        let mut record = Record::new(scenario, machine);
        for case in &scenario.cases {
            if self.case.as_ref().is_some_and(|part| !case.name.contains(part)) {
                continue;
            }
            let began = Instant::now();
            let outcome = self.compare(case, rounds)?;
            let bars = case.bars.clone();
            let seconds = began.elapsed().as_secs_f64();
            let case = CaseRecord { name: case.name.clone(), bars, outcome, seconds };
            println!("{}", table(&case));
            record.cases.push(case);
        }
        println!("{} took {:.0} s", scenario.name, began.elapsed().as_secs_f64());
        record.write_to(&self.settings.folder)
    }

    fn compare(&self, case: &Case, rounds: usize) -> Result<Interleaved, Failure> {
        let sides = case
            .sides
            .iter()
            .filter(|side| self.sides.is_empty() || self.sides.contains(&side.name));
        let mut templates: Vec<Arc<Template>> = Vec::new();
        let mut stages = Vec::new();
        for side in sides {
            let world = side.work.world();
            let template = match templates.iter().find(|known| known.world.is_like(&world)) {
                Some(template) => Arc::clone(template),
                None => Arc::new(Template::make(world, &self.settings.folder)?),
            };
            templates.push(Arc::clone(&template));
            let lengths = if side.target.is_limit() {
                probe(&self.stage(Target::Memory, &template, None)?)?
            } else {
                None
            };
            stages.push((side, self.stage(side.target, &template, lengths)?));
        }
        let mut comparison = Comparison::new();
        for (side, stage) in &stages {
            comparison.side(&side.name, || {
                let measured = match side.target {
                    Target::Disk => side.work.measure_disk(stage.folder()),
                    _ => stage.start().and_then(|server| side.work.measure(&server)),
                };
                measured.map_err(|error| format!("{error}\n{}", stage.log()).into())
            });
        }
        comparison.run(rounds, self.repeats)
    }

    fn stage(
        &self,
        target: Target,
        template: &Arc<Template>,
        lengths: Option<Lengths>,
    ) -> Result<Stage, Failure> {
        let lengths = lengths.unwrap_or_default();
        Stage::new(target, &self.settings, Arc::clone(template), lengths)
    }
}
