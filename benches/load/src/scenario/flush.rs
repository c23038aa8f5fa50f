use std::path::Path;

use serde::Deserialize;

use crate::Failure;
use crate::compare::Figures;
use crate::measure::flushes;

/// Pages are written to the disk one by one, each with an `fdatasync`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Flush {
    /// How many.
    flushes: usize,
}

impl Flush {
    pub(super) fn measure(&self, folder: &Path) -> Result<Figures, Failure> {
        // Named as the time of a message, so that the two can be compared.
        Ok(Figures::default().with_latencies("delivery", &flushes(folder, self.flushes)?))
    }
}
