use std::time::Duration;

use serde::Deserialize;

use super::exchange::Exchange;
use crate::Failure;
use crate::client::Fleet;
use crate::compare::Figures;
use crate::measure::Processor;
use crate::target::Running;
use crate::world::World;

/// Members of conversations send messages, and everybody in the conversation gets them. A message is
/// done when the last has it; so many are under way at once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Messages {
    /// How many rooms there are. Messages go to each in its turn.
    #[serde(default = "one")]
    rooms: usize,
    /// Connected members of each.
    members: usize,
    /// Whether they are direct conversations in place of rooms, with two members each.
    #[serde(default)]
    direct: bool,
    /// Messages under way at once.
    outstanding: usize,
    /// Messages in all.
    messages: usize,
    /// Messages before those, uncounted.
    warm_up: usize,
}

/// How long all may take.
const PATIENCE: Duration = Duration::from_secs(240);

const fn one() -> usize {
    1
}

/// So many pairs with a direct conversation each; the first two users are a pair, and so on.
pub(super) fn pairs(count: usize) -> World {
    let mut world = World::of(2 * count);
    (0..count).for_each(|pair| world.direct(2 * pair, 2 * pair + 1));
    world
}

impl Messages {
    pub(super) fn world(&self) -> World {
        if self.direct {
            return pairs(self.rooms);
        }
        let mut world = World::of(self.rooms * self.members);
        for room in 0..self.rooms {
            let first = room * self.members;
            world.room(first..first + self.members);
        }
        world
    }

    pub(super) fn measure(&self, server: &Running<'_>) -> Result<Figures, Failure> {
        let mut fleet = Fleet::new(server.address, PATIENCE)?;
        let users = 0..self.rooms * self.members;
        let visits: Vec<_> = users.map(|user| server.visit(user, user / self.members)).collect();
        fleet.connect(&visits)?;
        fleet.idle(server.rest)?;
        let mut exchange = Exchange::new(server.world.places())?;
        exchange.run(&mut fleet, self.warm_up, self.outstanding)?;
        let own = Processor::of(std::process::id())?;
        let (processor, before) = (server.processor.now()?, own.now()?);
        let done = exchange.run(&mut fleet, self.messages, self.outstanding)?;
        let client = own.now()? - before;
        let used = server.processor.now()? - processor;
        let each = |time: Duration| time.as_secs_f64() * 1e9 / done.deliveries as f64;
        let messages = self.messages as f64;
        Ok(Figures::default()
            .with("cpu_per_delivery_ns", each(used))
            .with("client_cpu_per_delivery_ns", each(client))
            .with("deliveries_per_s", done.deliveries as f64 / done.time.as_secs_f64())
            .with("messages_per_s", messages / done.time.as_secs_f64())
            .with("messages_per_cpu_s", messages / used.as_secs_f64())
            .with_latencies("delivery", &done.deliveries_after)
            .with_latencies("reply", &done.replies_after))
    }
}
