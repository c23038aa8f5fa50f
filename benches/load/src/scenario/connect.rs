use std::time::{Duration, Instant};

use serde::Deserialize;

use super::idle::acquainted;
use crate::Failure;
use crate::client::Fleet;
use crate::compare::Figures;
use crate::target::Running;
use crate::world::World;

/// Users connect, 64 at a time, each until it has had its first frame.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Connect {
    /// How many.
    connections: usize,
    /// How many connect before, uncounted.
    warm_up: usize,
    /// Whether each has five conversations, with people who are told that it has come; none
    /// otherwise.
    acquainted: bool,
}

/// How long all may take.
const PATIENCE: Duration = Duration::from_secs(120);

impl Connect {
    fn users(&self) -> usize {
        self.warm_up + self.connections
    }

    pub(super) fn world(&self) -> World {
        if self.acquainted { acquainted(self.users()) } else { World::of(self.users()) }
    }

    pub(super) fn measure(&self, server: &Running<'_>) -> Result<Figures, Failure> {
        let mut fleet = Fleet::new(server.address, PATIENCE)?;
        let visits: Vec<_> = (0..self.users()).map(|user| server.visit(user, 0)).collect();
        let (warm_up, counted) = visits.split_at(self.warm_up);
        fleet.connect(warm_up)?;
        fleet.idle(server.rest)?;
        let (processor, began) = (server.processor.now()?, Instant::now());
        let latencies = fleet.connect(counted)?;
        let time = began.elapsed();
        fleet.idle(server.rest)?;
        let used = server.processor.now()? - processor;
        let count = counted.len() as f64;
        Ok(Figures::default()
            .with("cpu_per_connect_us", used.as_secs_f64() * 1e6 / count)
            .with("connects_per_s", count / time.as_secs_f64())
            .with_latencies("connect", &latencies))
    }
}
