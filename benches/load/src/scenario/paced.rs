use std::time::{Duration, Instant};

use serde::Deserialize;

use super::exchange::Exchange;
use super::messages::pairs;
use crate::Failure;
use crate::client::Fleet;
use crate::compare::Figures;
use crate::target::Running;
use crate::world::World;

/// Direct messages at a pace that does not wait for the server. The time of a message counts from
/// when it was meant to be sent, so that those which a slow server keeps from being sent count, too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Paced {
    /// Pairs, which take turns.
    pairs: usize,
    /// Messages each second, by all of them.
    per_second: u32,
    /// How long, in milliseconds.
    lasting_ms: u32,
}

/// How long all may take beyond that.
const PATIENCE: Duration = Duration::from_secs(60);

impl Paced {
    pub(super) fn world(&self) -> World {
        pairs(self.pairs)
    }

    pub(super) fn measure(&self, server: &Running<'_>) -> Result<Figures, Failure> {
        let patience = PATIENCE + Duration::from_millis(u64::from(self.lasting_ms));
        let mut fleet = Fleet::new(server.address, patience)?;
        let visits: Vec<_> = (0..2 * self.pairs).map(|user| server.visit(user, user / 2)).collect();
        fleet.connect(&visits)?;
        fleet.idle(server.rest)?;
        let mut exchange = Exchange::new(server.world.places())?;
        exchange.run(&mut fleet, self.pairs, self.pairs)?;
        exchange.start(0)?;
        let processor = server.processor.now()?;
        let (interval, began) = (Duration::from_secs(1) / self.per_second, Instant::now());
        let messages = self.per_second * self.lasting_ms / 1_000;
        let mut arrivals = Vec::new();
        let mut next = 0;
        while next < messages || exchange.under_way() > 0 {
            let due = began + interval * next;
            if next < messages && due <= Instant::now() {
                exchange.send(&mut fleet, next as usize % self.pairs, due);
                next += 1;
            } else if next < messages {
                fleet.turn_until(due, &mut arrivals)?;
            } else {
                fleet.turn(&mut arrivals)?;
            }
            for arrival in arrivals.drain(..) {
                exchange.take(&arrival)?;
            }
        }
        let used = server.processor.now()? - processor;
        let done = exchange.finish(began.elapsed())?;
        Ok(Figures::default()
            .with("messages_per_s", f64::from(messages) / done.time.as_secs_f64())
            .with("cpu_per_message_us", used.as_secs_f64() * 1e6 / f64::from(messages))
            .with_latencies("delivery", &done.deliveries_after)
            .with_latencies("reply", &done.replies_after))
    }
}
