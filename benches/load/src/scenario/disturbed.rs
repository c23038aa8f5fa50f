use std::time::{Duration, Instant};

use serde::Deserialize;

use super::exchange::message;
use super::messages::pairs;
use super::talkers::{Beside, Talkers};
use crate::Failure;
use crate::client::{Arrival, Fleet, Happening, Kind, masked_text};
use crate::compare::Figures;
use crate::target::Running;
use crate::world::World;

/// Pairs talk, each waiting for its last message, while something goes on in rooms beside them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Disturbed {
    /// How many pairs.
    pairs: usize,
    /// How long, in milliseconds.
    lasting_ms: u64,
    /// How many rooms there are, and how many are in each.
    rooms: usize,
    members: usize,
    /// What goes on in them.
    by: Disturbance,
    /// How often each second, in all of them together.
    per_second: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Disturbance {
    /// Nothing: everybody is there and says nothing.
    Nothing,
    /// One member after the other begins to type, and stops when it is its turn again.
    Typing,
    /// One member after the other is away, and back when it is its turn again.
    Presence,
    /// The first member sends messages, which none of the others ever reads.
    SlowReaders,
}

/// How long all may take beside that.
const PATIENCE: Duration = Duration::from_secs(120);

impl Disturbed {
    /// The connection of the first member of the first room.
    const fn first(&self) -> usize {
        2 * self.pairs
    }

    pub(super) fn world(&self) -> World {
        let mut world = pairs(self.pairs);
        world.users += self.rooms * self.members;
        for room in 0..self.rooms {
            let first = self.first() + room * self.members;
            world.room(first..first + self.members);
        }
        world
    }

    pub(super) fn measure(&self, server: &Running<'_>) -> Result<Figures, Failure> {
        let time = Duration::from_millis(self.lasting_ms);
        let mut fleet = Fleet::new(server.address, PATIENCE + time)?;
        let visits: Vec<_> = (0..server.world.users).map(|user| server.visit(user, 0)).collect();
        fleet.connect(&visits)?;
        fleet.idle(server.rest)?;
        let mut talkers = Talkers::new(server.world, &mut fleet)?;
        let slow: Vec<usize> = match self.by {
            Disturbance::SlowReaders => (self.first()..fleet.len())
                .filter(|one| !(one - self.first()).is_multiple_of(self.members))
                .collect(),
            _ => Vec::new(),
        };
        slow.iter().try_for_each(|one| fleet.stop_reading(*one))?;

        let resident = server.resident_bytes()?;
        let processor = server.processor.now()?;
        let mut rooms = Rooms::new(self, server.world, time);
        let done = talkers.talk(&mut fleet, 0, &mut rooms)?;
        let used = server.processor.now()? - processor;
        let grown = server.resident_bytes()?.saturating_sub(resident);
        // Whether the server had enough of them.
        slow.iter().try_for_each(|one| fleet.go_on_reading(*one))?;
        let ended = fleet.idle(server.rest * 4)?;
        let ended = ended.iter().filter(|one| matches!(one.what, Happening::Lost)).count();
        let seconds = done.time.as_secs_f64();
        Ok(Figures::default()
            .with("caused", f64::from(rooms.caused))
            .with("events_per_s", f64::from(rooms.events) / seconds)
            .with("refused", f64::from(rooms.refused))
            .with("slow_readers", slow.len() as f64)
            .with("slow_readers_ended", ended as f64)
            .with("cpu_percent", used.as_secs_f64() * 100.0 / seconds)
            .with("grown_mib", grown as f64 / 1_048_576.0)
            .with("messages_per_s", done.replies_after.len() as f64 / seconds)
            .with_latencies("delivery", &done.deliveries_after))
    }

    /// Who does what next: the number among the members of all rooms, and a command.
    fn next(&self, world: &World, number: usize) -> (usize, String) {
        let room = number % self.rooms;
        let turn = number / self.rooms;
        let sender = room * self.members + turn % self.members;
        let is_back = (turn / self.members) % 2 == 1;
        let id = world.rooms[room].id;
        match self.by {
            Disturbance::Nothing | Disturbance::SlowReaders => {
                (room * self.members, message(number, id))
            }
            Disturbance::Typing => {
                let what = if is_back { "stop" } else { "start" };
                let payload = format!(r#"{{"conversationId":"{id}"}}"#);
                let frame =
                    format!(r#"{{"id":{number},"type":"typing.{what}","payload":{payload}}}"#);
                (sender, frame)
            }
            Disturbance::Presence => {
                let status = if is_back { "online" } else { "away" };
                let payload = format!(r#"{{"status":"{status}"}}"#);
                let frame =
                    format!(r#"{{"id":{number},"type":"presence.set","payload":{payload}}}"#);
                (sender, frame)
            }
        }
    }
}

/// The rooms, while something goes on in them.
struct Rooms<'w> {
    work: &'w Disturbed,
    world: &'w World,
    began: Instant,
    time: Duration,
    caused: u32,
    events: u32,
    refused: u32,
}

impl<'w> Rooms<'w> {
    fn new(work: &'w Disturbed, world: &'w World, time: Duration) -> Self {
        let began = Instant::now();
        Self { work, world, began, time, caused: 0, events: 0, refused: 0 }
    }
}

impl Beside for Rooms<'_> {
    fn goes_on(&self) -> bool {
        self.began.elapsed() < self.time
    }

    fn act(&mut self, fleet: &mut Fleet) -> Result<Instant, Failure> {
        let interval = Duration::from_secs(1) / self.work.per_second.max(1);
        if self.goes_on()
            && self.work.by != Disturbance::Nothing
            && self.began + interval * self.caused <= Instant::now()
        {
            let (sender, frame) = self.work.next(self.world, self.caused as usize);
            fleet.send(self.work.first() + sender, &masked_text(&frame));
            self.caused += 1;
        }
        Ok(self.began + interval * self.caused)
    }

    fn take(&mut self, arrival: &Arrival, _: &mut Fleet) -> Result<(), Failure> {
        match arrival.what {
            Happening::Error(_) => self.refused += 1,
            Happening::Frame(Kind::Other | Kind::Message, ..) => self.events += 1,
            _ => {}
        }
        Ok(())
    }
}
