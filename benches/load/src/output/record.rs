use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Machine;
use crate::Failure;
use crate::compare::{Bar, Interleaved};
use crate::scenario::Scenario;

/// A scenario that was played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) scenario: String,
    pub(crate) about: String,
    pub(crate) machine: Machine,
    pub(crate) cases: Vec<CaseRecord>,
}

/// A case of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CaseRecord {
    pub(crate) name: String,
    pub(crate) bars: Vec<Bar>,
    pub(crate) outcome: Interleaved,
    /// How long it took, with what was made for it.
    pub(crate) seconds: f64,
}

impl Record {
    pub(crate) fn new(scenario: &Scenario, machine: Machine) -> Self {
        let (name, about) = (scenario.name.clone(), scenario.about.clone());
        Self { scenario: name, about, machine, cases: Vec::new() }
    }

    /// Writes it to `{folder}/{scenario}.json`.
    pub(crate) fn write_to(&self, folder: &Path) -> Result<(), Failure> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(&self.scenario).with_extension("json");
        std::fs::write(&path, serde_json::to_vec_pretty(self)?)?;
        println!("every round is in {}", path.display());
        Ok(())
    }
}
