use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::measure::{Latencies, Percentiles};

/// What one side came to in one round.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Figures by name; the name ends with the unit.
    pub(crate) values: BTreeMap<String, f64>,
    /// Latencies by name.
    #[serde(default)]
    pub(crate) latencies: BTreeMap<String, Percentiles>,
}

impl Figures {
    /// Adds a figure.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: f64) -> Self {
        self.values.insert(name.to_owned(), value);
        self
    }

    /// Adds latencies, and their most quoted percentiles as figures `{name}_p50_us` and on.
    #[must_use]
    pub(crate) fn with_latencies(mut self, name: &str, latencies: &Latencies) -> Self {
        if latencies.len() == 0 {
            return self;
        }
        for (label, percentile) in [("p50", 50.0), ("p95", 95.0), ("p99", 99.0)] {
            self.values.insert(format!("{name}_{label}_us"), latencies.micros(percentile));
        }
        self.latencies.insert(name.to_owned(), latencies.percentiles());
        self
    }
}
