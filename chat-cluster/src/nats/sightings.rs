use std::time::Duration;

use chat_core::proto::NodeId;
use foldhash::{HashMap, HashMapExt};
use tokio::time::Instant;

/// Since when this node has seen no renewal of each lease.
///
/// Clocks of machines are not compared: a lease has run out when this node has looked at the same
/// revision of it for as long as the lease is, by its own clock. So a dead node's lease lasts up to
/// one look longer than it should, and a whole lease longer for a judge that has just begun.
#[derive(Debug)]
pub(super) struct Sightings {
    seen: HashMap<NodeId, Sighting>,
    /// By which connection: while there was none, others may have had none, too.
    connection: u64,
}

#[derive(Debug)]
struct Sighting {
    revision: u64,
    since: Instant,
}

impl Sightings {
    pub(super) fn new() -> Self {
        Self { seen: HashMap::new(), connection: 0 }
    }

    /// Begins a look at the leases of these nodes. Those of others are forgotten, and all of them
    /// after an interruption, so that everybody has time to renew what could not be renewed.
    pub(super) fn begin(&mut self, connection: u64, nodes: &[NodeId]) {
        if self.connection != connection {
            self.seen.clear();
            self.connection = connection;
        }
        self.seen.retain(|node, _| nodes.contains(node));
    }

    /// Forgets all of them: the last look was not a good one.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
    }

    /// Notes which revision of a lease is there, and says whether it has run out. It was looked at
    /// between the time when it was `asked` for and the time when it was `answered`, of which each
    /// time the one counts by which the lease lasts longer.
    pub(super) fn has_run_out(
        &mut self,
        node: NodeId,
        revision: u64,
        length: Duration,
        (asked, answered): (Instant, Instant),
    ) -> bool {
        let sighting = self.seen.entry(node).or_insert(Sighting { revision, since: answered });
        if sighting.revision != revision {
            *sighting = Sighting { revision, since: answered };
        }
        asked.saturating_duration_since(sighting.since) >= length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(20);

    fn at(moment: Instant) -> (Instant, Instant) {
        (moment, moment)
    }

    #[test]
    fn a_lease_runs_out_when_nobody_renews_it() {
        let (node, now) = (NodeId::generate(), Instant::now());
        let mut sightings = Sightings::new();
        assert!(!sightings.has_run_out(node, 1, LENGTH, at(now)));
        assert!(!sightings.has_run_out(node, 1, LENGTH, at(now + LENGTH / 2)));
        assert!(!sightings.has_run_out(node, 2, LENGTH, at(now + LENGTH)));
        assert!(!sightings.has_run_out(node, 2, LENGTH, at(now + LENGTH + LENGTH / 2)));
        assert!(sightings.has_run_out(node, 2, LENGTH, at(now + LENGTH * 2)));
        assert!(sightings.has_run_out(node, 2, Duration::ZERO, at(now)));
    }

    #[test]
    fn an_answer_that_takes_long_ends_no_lease() {
        let (node, now) = (NodeId::generate(), Instant::now());
        let mut sightings = Sightings::new();
        assert!(!sightings.has_run_out(node, 1, LENGTH, (now, now + LENGTH)));
        assert!(!sightings.has_run_out(node, 1, LENGTH, (now + LENGTH, now + LENGTH * 2)));
        assert!(sightings.has_run_out(node, 1, LENGTH, (now + LENGTH * 2, now + LENGTH * 3)));
    }

    #[test]
    fn after_an_interruption_everybody_has_time_to_renew() {
        let (node, now) = (NodeId::generate(), Instant::now());
        let mut sightings = Sightings::new();
        sightings.begin(1, &[node]);
        assert!(!sightings.has_run_out(node, 1, LENGTH, at(now)));
        sightings.begin(2, &[node]);
        assert!(!sightings.has_run_out(node, 1, LENGTH, at(now + LENGTH)));
        sightings.forget();
        assert!(!sightings.has_run_out(node, 1, LENGTH, at(now + LENGTH * 2)));
        sightings.begin(2, &[]);
        assert!(!sightings.has_run_out(node, 1, LENGTH, at(now + LENGTH * 3)));
        assert!(sightings.has_run_out(node, 1, LENGTH, at(now + LENGTH * 4)));
    }
}
