use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::Failure;

/// How long each of many things took, in a histogram with three digits.
#[derive(Debug)]
pub(crate) struct Latencies(Histogram<u64>);

/// The longest that is told apart.
const LONGEST: Duration = Duration::from_secs(120);
/// Which percentiles are kept.
const KEPT: [f64; 9] = [1.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9];

/// Percentiles with their microseconds, in ascending order; the last is the greatest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Percentiles(pub(crate) Vec<(f64, f64)>);

impl Latencies {
    /// None yet.
    pub(crate) fn new() -> Result<Self, Failure> {
        let longest = u64::try_from(LONGEST.as_nanos())?;
        Ok(Self(Histogram::new_with_bounds(1, longest, 3)?))
    }

    /// Adds one.
    pub(crate) fn record(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// The microseconds within which so many of a hundred were done.
    pub(crate) fn micros(&self, percentile: f64) -> f64 {
        self.0.value_at_percentile(percentile) as f64 / 1_000.0
    }

    /// All that is kept of them.
    pub(crate) fn percentiles(&self) -> Percentiles {
        let kept = KEPT.into_iter().chain([100.0]);
        Percentiles(kept.map(|percentile| (percentile, self.micros(percentile))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_values() {
        let mut latencies = Latencies::new().unwrap();
        for micros in 1..=1_000 {
            latencies.record(Duration::from_micros(micros));
        }
        assert_eq!(latencies.len(), 1_000);
        for (percentile, micros) in latencies.percentiles().0 {
            assert!((micros - percentile * 10.0).abs() <= micros / 100.0, "{percentile}: {micros}");
        }
    }
}
