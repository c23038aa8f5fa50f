use std::time::{Duration, Instant};

use serde::Deserialize;

use super::exchange::{Exchange, message};
use super::messages::pairs;
use crate::Failure;
use crate::client::{Fleet, Happening, Kind, masked_text};
use crate::compare::Figures;
use crate::target::Running;
use crate::world::{Place, World};

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
    pub(super) fn world(&self) -> World {
        let mut world = pairs(self.pairs);
        let first = world.users;
        world.users += self.rooms * self.members;
        for room in 0..self.rooms {
            let first = first + room * self.members;
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
        let directs = server.world.directs.iter();
        let directs =
            directs.map(|direct| Place { id: direct.id, connections: direct.pair.into() });
        let mut healthy = Exchange::new(directs.collect())?;
        healthy.run(&mut fleet, self.pairs * 4, self.pairs)?;
        let own = 2 * self.pairs;
        let slow: Vec<usize> = match self.by {
            Disturbance::SlowReaders => {
                (own..fleet.len()).filter(|one| !(one - own).is_multiple_of(self.members)).collect()
            }
            _ => Vec::new(),
        };
        slow.iter().try_for_each(|one| fleet.stop_reading(*one))?;

        let resident = server.resident_bytes()?;
        let (processor, began) = (server.processor.now()?, Instant::now());
        let interval = Duration::from_secs(1) / self.per_second.max(1);
        let (mut caused, mut events, mut refused) = (0, 0, 0);
        let mut arrivals = Vec::new();
        healthy.start(self.pairs)?;
        while began.elapsed() < time || healthy.under_way() > 0 {
            if began.elapsed() < time {
                healthy.send_more(&mut fleet, usize::MAX, self.pairs);
                if self.by != Disturbance::Nothing && began + interval * caused <= Instant::now() {
                    let (sender, frame) = self.next(server.world, caused as usize);
                    fleet.send(own + sender, &masked_text(&frame));
                    caused += 1;
                }
            }
            let until = Instant::now() + interval.min(Duration::from_millis(10));
            fleet.turn_until(until, &mut arrivals)?;
            for arrival in arrivals.drain(..) {
                if arrival.connection < own {
                    healthy.take(&arrival)?;
                    continue;
                }
                match arrival.what {
                    Happening::Error(_) => refused += 1,
                    Happening::Frame(Kind::Other | Kind::Message, ..) => events += 1,
                    _ => {}
                }
            }
            if began.elapsed() > time + PATIENCE {
                return Err("the server took too long".into());
            }
        }
        let used = server.processor.now()? - processor;
        let grown = server.resident_bytes()?.saturating_sub(resident);
        let done = healthy.finish(began.elapsed())?;
        // Whether the server had enough of them.
        slow.iter().try_for_each(|one| fleet.go_on_reading(*one))?;
        let ended = fleet.idle(server.rest * 4)?;
        let ended = ended.iter().filter(|one| matches!(one.what, Happening::Lost)).count();
        let seconds = done.time.as_secs_f64();
        Ok(Figures::default()
            .with("caused", f64::from(caused))
            .with("events_per_s", f64::from(events) / seconds)
            .with("refused", f64::from(refused))
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
