use std::time::Duration;

use serde::Deserialize;

use super::exchange::Exchange;
use crate::Failure;
use crate::client::Fleet;
use crate::compare::Figures;
use crate::target::Running;
use crate::world::{Place, World};

/// Connections that do nothing, each of a user with five conversations: one room of all, and direct
/// ones with the two before and the two behind. Then some messages go to the room.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Idle {
    /// How many.
    connections: usize,
    /// Messages to all.
    burst: usize,
}

/// How long all may take.
const PATIENCE: Duration = Duration::from_secs(240);

/// So many users, each in a room of all and in four direct conversations.
pub(super) fn acquainted(users: usize) -> World {
    let mut world = World::of(users);
    world.room(0..users);
    for user in 0..users {
        for distance in [1, 2].into_iter().filter(|distance| distance * 2 < users) {
            world.direct(user, (user + distance) % users);
        }
    }
    world
}

impl Idle {
    pub(super) fn world(&self) -> World {
        acquainted(self.connections)
    }

    pub(super) fn measure(&self, server: &Running<'_>) -> Result<Figures, Failure> {
        let each = |bytes: u64, before: u64| {
            (bytes as f64 - before as f64) / 1_024.0 / self.connections as f64
        };
        let rest = server.rest * 4;
        let mut fleet = Fleet::new(server.address, PATIENCE)?;
        let before = server.resident_bytes()?;
        let visits: Vec<_> = (0..self.connections).map(|user| server.visit(user, 0)).collect();
        fleet.connect(&visits)?;
        fleet.idle(rest)?;
        let idle = server.resident_bytes()?;
        let processor = server.processor.now()?;
        fleet.idle(rest)?;
        let busy = server.processor.now()? - processor;

        let room = &server.world.rooms[0];
        let places = vec![Place { id: room.id, connections: (0..self.connections).collect() }];
        Exchange::new(places)?.run(&mut fleet, self.burst, 1)?;
        fleet.idle(rest)?;
        let after = server.resident_bytes()?;
        Ok(Figures::default()
            .with("start_mib", before as f64 / 1_048_576.0)
            .with("idle_kib_per_connection", each(idle, before))
            .with("burst_kib_per_connection", each(after, idle))
            .with("idle_cpu_percent", 100.0 * busy.as_secs_f64() / rest.as_secs_f64()))
    }
}
