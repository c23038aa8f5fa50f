use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::exchange::Exchange;
use super::messages::pairs;
use crate::Failure;
use crate::client::{Arrival, Fleet, Happening, Kind, masked_text};
use crate::compare::Figures;
use crate::target::Running;
use crate::world::{Place, World};

/// Users in rooms lose their connections, miss some messages, and come back as fast as the generator
/// can, each with `session.resume`. Beside them pairs that stayed go on talking.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Reconnect {
    /// Users who come back.
    returning: usize,
    /// How many of them are in a room together, with one who stays.
    room: usize,
    /// Messages that they miss.
    missed: usize,
    /// Pairs that stay, each with one message under way.
    pairs: usize,
    /// The fewest messages that these send.
    messages: usize,
    /// Whether anybody comes back; otherwise the others are measured in peace.
    storm: bool,
}

/// How long all may take.
const PATIENCE: Duration = Duration::from_secs(240);
/// How many connect before the others are looked at again.
const AT_ONCE: usize = 16;
/// When somebody who is told to come back later does.
const LATER: Duration = Duration::from_secs(1);

/// Those who come back.
#[derive(Debug, Default)]
struct Storm {
    waiting: VecDeque<(Instant, usize)>,
    answered: usize,
    replayed: usize,
    turned_away: usize,
    errors: usize,
}

impl Reconnect {
    fn rooms(&self) -> usize {
        self.returning / self.room
    }

    /// The number of the first who stays in a room, and of the first who comes back.
    fn first(&self) -> (usize, usize) {
        (2 * self.pairs, 2 * self.pairs + self.rooms())
    }

    pub(super) fn world(&self) -> World {
        let mut world = pairs(self.pairs);
        let (staying, returning) = self.first();
        world.users = returning + self.returning;
        for room in 0..self.rooms() {
            let first = returning + room * self.room;
            world.room(std::iter::once(staying + room).chain(first..first + self.room));
        }
        world
    }

    pub(super) fn measure(&self, server: &Running<'_>) -> Result<Figures, Failure> {
        let mut fleet = Fleet::new(server.address, PATIENCE)?;
        let (staying, returning) = self.first();
        let users = 0..returning + self.returning;
        let visits: Vec<_> = users.map(|user| server.visit(user, 0)).collect();
        fleet.connect(&visits)?;
        fleet.idle(server.rest)?;
        let directs = server.world.directs.iter();
        let directs =
            directs.map(|direct| Place { id: direct.id, connections: direct.pair.into() });
        let mut healthy = Exchange::new(directs.collect())?;
        healthy.run(&mut fleet, self.pairs * 4, self.pairs)?;

        (returning..fleet.len()).for_each(|one| fleet.hang_up(one));
        fleet.idle(server.rest)?;
        let rooms = server.world.rooms.iter().enumerate();
        let tellers = rooms.map(|(n, room)| Place { id: room.id, connections: vec![staying + n] });
        let missed = self.missed * self.rooms();
        Exchange::new(tellers.collect())?.run(&mut fleet, missed, self.rooms())?;

        let (processor, began) = (server.processor.now()?, Instant::now());
        let mut storm = Storm::default();
        if self.storm {
            storm.waiting = (returning..fleet.len()).map(|one| (began, one)).collect();
        }
        let expected = storm.waiting.len();
        let mut arrivals = Vec::new();
        healthy.start(self.pairs)?;
        let mut lasted = Duration::ZERO;
        while storm.answered + storm.errors < expected || healthy.done() < self.messages {
            healthy.send_more(&mut fleet, usize::MAX, self.pairs);
            for _ in 0..AT_ONCE {
                match storm.waiting.front() {
                    Some((due, one)) if *due <= Instant::now() => {
                        fleet.begin_again(*one, &visits[*one])?;
                        storm.waiting.pop_front();
                    }
                    _ => break,
                }
            }
            // Not for long while somebody has yet to begin.
            let soon = Instant::now() + Duration::from_micros(200);
            if storm.waiting.is_empty() {
                fleet.turn(&mut arrivals)?;
            } else {
                fleet.turn_until(soon, &mut arrivals)?;
            }
            for arrival in arrivals.drain(..) {
                if arrival.connection < returning {
                    healthy.take(&arrival)?;
                } else {
                    let room = &server.world.rooms[(arrival.connection - returning) / self.room];
                    storm.take(&arrival, &mut fleet, room.id, self.room + 1);
                    lasted = began.elapsed();
                }
            }
        }
        let used = server.processor.now()? - processor;
        let done = healthy.finish(began.elapsed())?;
        let mut figures = Figures::default()
            .with("messages_per_s", done.replies_after.len() as f64 / done.time.as_secs_f64())
            .with_latencies("delivery", &done.deliveries_after);
        if self.storm {
            figures = figures
                .with("answered", storm.answered as f64)
                .with("errors", storm.errors as f64)
                .with("told_to_come_later", storm.turned_away as f64)
                .with("replayed", storm.replayed as f64)
                .with("storm_s", lasted.as_secs_f64())
                .with("cpu_s", used.as_secs_f64());
        }
        Ok(figures)
    }
}

impl Storm {
    fn take(
        &mut self,
        arrival: &Arrival,
        fleet: &mut Fleet,
        room: chat_core::proto::ConversationId,
        known: usize,
    ) {
        match arrival.what {
            Happening::Frame(Kind::Ready, ..) => {
                let resume = format!(
                    r#"{{"id":1,"type":"session.resume","payload":{{"cursors":{{"{room}":{known}}}}}}}"#
                );
                fleet.send(arrival.connection, &masked_text(&resume));
            }
            Happening::Frame(Kind::Message, ..) => self.replayed += 1,
            Happening::Frame(Kind::Reply, ..) => self.answered += 1,
            Happening::Refused(429 | 503) => {
                self.turned_away += 1;
                self.waiting.push_back((Instant::now() + LATER, arrival.connection));
            }
            Happening::Refused(_) | Happening::Lost | Happening::Error(_) => {
                self.errors += 1;
            }
            Happening::Opened | Happening::Frame(..) => {}
        }
    }
}
