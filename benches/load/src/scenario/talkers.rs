use std::time::{Duration, Instant};

use super::exchange::{Exchange, Exchanged};
use crate::Failure;
use crate::client::{Arrival, Fleet};
use crate::world::{Place, World};

/// The longest that nobody looks whether there is something to do.
const LOOK: Duration = Duration::from_millis(10);

/// Pairs with a direct conversation each, who talk beside something else: each pair has one message
/// under way. They are the first users of the world and have the first connections.
#[derive(Debug)]
pub(super) struct Talkers {
    exchange: Exchange,
    pairs: usize,
}

/// What goes on beside them, on all other connections.
pub(super) trait Beside {
    /// Whether it has yet to come to its end.
    fn goes_on(&self) -> bool;

    /// Does what is due, and says when something will be again.
    fn act(&mut self, fleet: &mut Fleet) -> Result<Instant, Failure>;

    /// Takes what came to one of its connections.
    fn take(&mut self, arrival: &Arrival, fleet: &mut Fleet) -> Result<(), Failure>;
}

impl Talkers {
    /// Those of a world whose users are all connected, after they have talked a little.
    pub(super) fn new(world: &World, fleet: &mut Fleet) -> Result<Self, Failure> {
        let pairs = world.directs.len();
        let directs = world.directs.iter();
        let places = directs.map(|direct| Place { id: direct.id, connections: direct.pair.into() });
        let mut exchange = Exchange::new(places.collect())?;
        exchange.run(fleet, pairs * 4, pairs)?;
        Ok(Self { exchange, pairs })
    }

    /// Has them talk for as long as it goes on beside them, and until they have sent so many
    /// messages.
    pub(super) fn talk(
        &mut self,
        fleet: &mut Fleet,
        messages: usize,
        beside: &mut dyn Beside,
    ) -> Result<Exchanged, Failure> {
        let mut arrivals = Vec::new();
        self.exchange.start(self.pairs)?;
        let began = Instant::now();
        loop {
            if beside.goes_on() || self.exchange.done() < messages {
                self.exchange.send_more(fleet, usize::MAX, self.pairs);
            } else if self.exchange.under_way() == 0 {
                return self.exchange.finish(began.elapsed());
            }
            let due = beside.act(fleet)?;
            fleet.turn_until(due.min(Instant::now() + LOOK), &mut arrivals)?;
            for arrival in arrivals.drain(..) {
                if arrival.connection < 2 * self.pairs {
                    self.exchange.take(&arrival)?;
                } else {
                    beside.take(&arrival, fleet)?;
                }
            }
        }
    }
}
