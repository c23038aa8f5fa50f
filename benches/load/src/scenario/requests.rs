use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::Failure;
use crate::client::Rest;
use crate::compare::Figures;
use crate::measure::Latencies;
use crate::target::Running;
use crate::world::World;

/// One user asks for pages over REST, one after the other on one connection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Requests {
    /// Pages of what.
    pages: Pages,
    /// Rooms of the user.
    #[serde(default = "one")]
    rooms: usize,
    /// Messages in each.
    messages: usize,
    /// How many pages.
    requests: usize,
    /// How many before those, uncounted.
    warm_up: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Pages {
    /// 50 messages somewhere in the first room, another place each time.
    History,
    /// The user's first 50 conversations.
    Conversations,
}

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

const fn one() -> usize {
    1
}

impl Requests {
    pub(super) fn world(&self) -> World {
        let mut world = World::of(2);
        (0..self.rooms).for_each(|_| world.room(0..2));
        world.messages = self.messages;
        world
    }

    pub(super) fn measure(&self, server: &Running<'_>) -> Result<Figures, Failure> {
        let token = server.visit(0, 0).token.ok_or("only a server has pages")?;
        let mut rest = Rest::connect(server.address, &token, PATIENCE)?;
        let room = server.world.rooms.first().ok_or("a room is needed")?.id;
        // The same places in every round, all over the history (Knuth's multiplier).
        let place = |number: usize| 1 + number.wrapping_mul(2_654_435_761) % self.messages;
        let path = |number| match self.pages {
            Pages::History => {
                let before = place(number).max(51);
                format!("/api/chat/conversations/{room}/messages?limit=50&before={before}")
            }
            Pages::Conversations => "/api/chat/conversations?limit=50".into(),
        };
        for number in 0..self.warm_up {
            rest.get(&path(self.requests + number))?;
        }
        let mut latencies = Latencies::new()?;
        let processor = server.processor.now()?;
        let mut bytes = 0;
        for number in 0..self.requests {
            let (path, began) = (path(number), Instant::now());
            bytes += rest.get(&path)?;
            latencies.record(began.elapsed());
        }
        let used = server.processor.now()? - processor;
        let count = self.requests as f64;
        Ok(Figures::default()
            .with("cpu_per_request_us", used.as_secs_f64() * 1e6 / count)
            .with("bytes_per_page", bytes as f64 / count)
            .with_latencies("page", &latencies))
    }
}
