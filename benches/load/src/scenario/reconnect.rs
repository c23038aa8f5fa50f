use std::collections::VecDeque;
use std::fmt::Write;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::exchange::Exchange;
use super::messages::pairs;
use super::talkers::{Beside, Talkers};
use crate::Failure;
use crate::client::{Arrival, Fleet, Happening, Kind, Visit, masked_text};
use crate::compare::Figures;
use crate::target::Running;
use crate::world::{Place, World};

/// Users lose their connections, miss some messages in their rooms, and come back as fast as the
/// generator can, each with a `session.resume` that names all its rooms. Beside them pairs that
/// stayed go on talking.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Reconnect {
    /// Users who come back.
    returning: usize,
    /// How many of them are in the same rooms.
    together: usize,
    /// In how many, each with one more member, who stays.
    rooms: usize,
    /// In how many of those they miss something, and how many messages.
    missed_in: usize,
    missed: usize,
    /// Pairs that stay, each with one message under way.
    pairs: usize,
    /// The fewest messages that these send.
    messages: usize,
    /// Whether anybody comes back; otherwise the pairs are measured in peace.
    storm: bool,
}

/// How long all may take.
const PATIENCE: Duration = Duration::from_secs(240);
/// How many connect before the others are looked at again, and for how long at most.
const AT_ONCE: usize = 16;
const LOOK: Duration = Duration::from_micros(200);
/// When somebody who is told to come back later does.
const LATER: Duration = Duration::from_secs(1);

impl Reconnect {
    /// All rooms there are.
    fn all_rooms(&self) -> usize {
        self.returning.div_ceil(self.together) * self.rooms
    }

    /// The number of the first who stays in a room, and of the first who comes back.
    fn first(&self) -> (usize, usize) {
        (2 * self.pairs, 2 * self.pairs + self.all_rooms())
    }

    pub(super) fn world(&self) -> World {
        let mut world = pairs(self.pairs);
        let (staying, returning) = self.first();
        world.users = returning + self.returning;
        for room in 0..self.all_rooms() {
            let first = room / self.rooms * self.together;
            let last = (first + self.together).min(self.returning);
            let members = returning + first..returning + last;
            world.room(std::iter::once(staying + room).chain(members));
        }
        world
    }

    pub(super) fn measure(&self, server: &Running<'_>) -> Result<Figures, Failure> {
        let mut fleet = Fleet::new(server.address, PATIENCE)?;
        let (staying, returning) = self.first();
        let visits: Vec<_> = (0..server.world.users).map(|user| server.visit(user, 0)).collect();
        fleet.connect(&visits)?;
        fleet.idle(server.rest)?;
        let mut talkers = Talkers::new(server.world, &mut fleet)?;

        (returning..fleet.len()).for_each(|one| fleet.hang_up(one));
        fleet.idle(server.rest)?;
        let rooms = server.world.rooms.iter().enumerate();
        let rooms = rooms.filter(|(number, _)| number % self.rooms < self.missed_in);
        let tellers = rooms.map(|(n, room)| Place { id: room.id, connections: vec![staying + n] });
        let tellers: Vec<_> = tellers.collect();
        let (missed, at_once) = (self.missed * tellers.len(), tellers.len());
        Exchange::new(tellers)?.run(&mut fleet, missed, at_once)?;
        fleet.idle(server.rest)?;

        let (processor, statements) = (server.processor.now()?, server.statements()?);
        let mut storm = Storm::new(self, &visits[returning..], server.world);
        let done = talkers.talk(&mut fleet, self.messages, &mut storm)?;
        let used = server.processor.now()? - processor;
        let mut figures = Figures::default()
            .with("messages_per_s", done.replies_after.len() as f64 / done.time.as_secs_f64())
            .with_latencies("delivery", &done.deliveries_after);
        if self.storm {
            figures = figures
                .with("answered", storm.answered as f64)
                .with("errors", storm.errors as f64)
                .with("told_to_come_later", storm.turned_away as f64)
                .with("replayed", storm.replayed as f64)
                .with("storm_s", storm.lasted.as_secs_f64())
                .with("cpu_s", used.as_secs_f64());
            fleet.idle(server.rest)?;
            if let (Some(before), Some(after)) = (statements, server.statements()?) {
                let each = (after - before) as f64 / storm.answered.max(1) as f64;
                figures = figures.with("statements_per_reconnect", each);
            }
        }
        Ok(figures)
    }
}

/// Those who come back.
struct Storm<'v> {
    visits: &'v [Visit],
    /// The connection of the first.
    first: usize,
    /// What those who were in the same rooms resume with.
    resumes: Vec<Vec<u8>>,
    together: usize,
    began: Instant,
    lasted: Duration,
    waiting: VecDeque<(Instant, usize)>,
    expected: usize,
    answered: usize,
    replayed: usize,
    turned_away: usize,
    errors: usize,
}

impl<'v> Storm<'v> {
    fn new(work: &Reconnect, visits: &'v [Visit], world: &World) -> Self {
        let began = Instant::now();
        let expected = if work.storm { visits.len() } else { 0 };
        Self {
            visits,
            first: work.first().1,
            resumes: world.rooms.chunks(work.rooms).map(resume).collect(),
            together: work.together,
            began,
            lasted: Duration::ZERO,
            waiting: (0..expected).map(|one| (began, one)).collect(),
            expected,
            answered: 0,
            replayed: 0,
            turned_away: 0,
            errors: 0,
        }
    }
}

/// The command of somebody who knows of everything in these rooms but the messages.
fn resume(rooms: &[crate::world::Room]) -> Vec<u8> {
    let mut cursors = String::new();
    for room in rooms {
        let comma = if cursors.is_empty() { "" } else { "," };
        // A string takes whatever is written to it. Whoever joined was a change each.
        let _ = write!(cursors, r#"{comma}"{}":{}"#, room.id, room.members.len());
    }
    let payload = format!(r#"{{"cursors":{{{cursors}}}}}"#);
    masked_text(&format!(r#"{{"id":1,"type":"session.resume","payload":{payload}}}"#))
}

impl Beside for Storm<'_> {
    fn goes_on(&self) -> bool {
        self.answered + self.errors < self.expected
    }

    fn act(&mut self, fleet: &mut Fleet) -> Result<Instant, Failure> {
        let now = Instant::now();
        for _ in 0..AT_ONCE {
            match self.waiting.front() {
                Some((due, one)) if *due <= now => {
                    fleet.begin_again(self.first + one, &self.visits[*one])?;
                    self.waiting.pop_front();
                }
                _ => break,
            }
        }
        let next = self.waiting.front().map_or(now + LATER, |(due, _)| *due);
        Ok(next.max(now + LOOK))
    }

    fn take(&mut self, arrival: &Arrival, fleet: &mut Fleet) -> Result<(), Failure> {
        let Some(one) = arrival.connection.checked_sub(self.first) else { return Ok(()) };
        match arrival.what {
            Happening::Frame(Kind::Ready, ..) => {
                fleet.send(arrival.connection, &self.resumes[one / self.together]);
            }
            Happening::Frame(Kind::Message, ..) => self.replayed += 1,
            Happening::Frame(Kind::Reply, ..) => {
                self.answered += 1;
                self.lasted = self.began.elapsed();
            }
            Happening::Refused(429 | 503) => {
                self.turned_away += 1;
                self.waiting.push_back((Instant::now() + LATER, one));
            }
            Happening::Refused(_) | Happening::Lost | Happening::Error(_) => self.errors += 1,
            _ => {}
        }
        Ok(())
    }
}
