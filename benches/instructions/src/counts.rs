//! What gungraun says it has counted.

use std::collections::HashMap;
use std::io::{self, BufRead};

use serde::Deserialize;

use crate::Counts;

/// Why there are no counts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CountsError {
    /// The input ended before its end.
    #[error("the summaries cannot be read")]
    Read(#[from] io::Error),
    /// Another version of gungraun, perhaps.
    #[error("a summary is not as expected: {0}")]
    Summary(#[from] serde_json::Error),
    /// A benchmark that has counted something else.
    #[error("{0} has counted no instructions")]
    Nothing(String),
    /// Nothing was run.
    #[error("there are no summaries: nothing was counted")]
    Empty,
}

/// Of a summary, what is needed here.
#[derive(Deserialize)]
struct Summary {
    group: String,
    function_name: String,
    id: Option<String>,
    profiles: Vec<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    total: Total,
}

#[derive(Deserialize)]
struct Total {
    metrics: HashMap<String, Metric>,
}

#[derive(Deserialize)]
struct Metric {
    values: Values,
}

/// The count of this run. That of the run before, where there was one, is of no interest.
#[derive(Deserialize)]
struct Values {
    new: u64,
}

impl Summary {
    /// The group, the function and the case.
    fn name(&self) -> String {
        let case = self.id.iter().map(String::as_str);
        let parts = [self.group.as_str(), self.function_name.as_str()];
        parts.into_iter().chain(case).collect::<Vec<_>>().join(" ")
    }

    /// Instructions read, as callgrind calls them.
    fn instructions(&self) -> Option<u64> {
        let mut metrics = self.profiles.iter().map(|profile| &profile.data.total.metrics);
        metrics.find_map(|metrics| metrics.get("Ir")).map(|metric| metric.values.new)
    }
}

/// Reads summaries as gungraun writes them with `--output-format=json`, one in a line.
pub(crate) fn read(summaries: impl BufRead) -> Result<Counts, CountsError> {
    let mut counts = Counts::new();
    for line in summaries.lines() {
        let summary: Summary = serde_json::from_str(&line?)?;
        let name = summary.name();
        let Some(count) = summary.instructions() else { return Err(CountsError::Nothing(name)) };
        counts.insert(name, count);
    }
    if counts.is_empty() { Err(CountsError::Empty) } else { Ok(counts) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(metrics: &str) -> String {
        format!(
            r#"{{"group":"frames","function_name":"decode","id":"send","version":"7","profiles":[{{"tool":"Callgrind","data":{{"parts":[],"total":{{"metrics":{metrics},"regressions":[]}}}}}}]}}"#
        )
    }

    #[test]
    fn the_newest_count_of_instructions_is_read() {
        let line = summary(r#"{"Ir":{"values":{"new":12,"old":34}}}"#);
        let counts = read(line.as_bytes()).expect("a count");
        assert_eq!(counts, Counts::from([("frames decode send".to_owned(), 12)]));
    }

    #[test]
    fn a_summary_without_a_count_is_refused_by_name() {
        let error = read(summary("{}").as_bytes()).expect_err("no count");
        assert_eq!(error.to_string(), "frames decode send has counted no instructions");
    }

    #[test]
    fn nothing_counted_is_no_success() {
        assert!(matches!(read(&b""[..]), Err(CountsError::Empty)));
    }
}
