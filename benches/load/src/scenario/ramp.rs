use std::time::{Duration, Instant};

use serde::Deserialize;

use super::crowd::Crowd;
use crate::Failure;
use crate::client::Fleet;
use crate::compare::Figures;
use crate::target::Running;
use crate::world::World;

/// Users come step by step, and with them messages and requests at a pace that does not wait for the
/// server. In every room one half has a WebSocket, the other asks over REST; each half sends every
/// other message. All times count from when something was meant to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Ramp {
    /// All users at the end.
    users: usize,
    /// In how many steps they come. With each step come as many more messages and requests.
    steps: usize,
    /// How many are in a room together. None stands in two steps.
    room: usize,
    /// Messages each second at the end.
    messages_per_second: u32,
    /// Requests each second at the end, for a list of conversations or a page of history in turns.
    requests_per_second: u32,
    /// How long each step lasts, in milliseconds, once its users are there.
    step_ms: u32,
}

/// How long all may take beyond that.
const PATIENCE: Duration = Duration::from_secs(120);

impl Ramp {
    pub(super) fn world(&self) -> World {
        let mut world = World::of(self.users);
        for first in (0..self.users).step_by(self.room) {
            world.room(first..(first + self.room).min(self.users));
        }
        world
    }

    pub(super) fn measure(&self, server: &Running<'_>) -> Result<Figures, Failure> {
        let step = Duration::from_millis(self.step_ms.into());
        let steps = u32::try_from(self.steps)?;
        let fleet = Fleet::new(server.address, PATIENCE + step * steps)?;
        let mut crowd = Crowd::new(server, fleet)?;
        let mut figures = Figures::default();
        for number in 1..=steps {
            let users = self.users * number as usize / self.steps;
            crowd.grow(users)?;
            crowd.forget_times()?;
            let (processor, began) = (server.processor.now()?, Instant::now());
            let rate = |at_the_end: u32| at_the_end * number / steps;
            crowd.go_on(step, rate(self.messages_per_second), rate(self.requests_per_second))?;
            let used = server.processor.now()? - processor;
            let percent = 100.0 * used.as_secs_f64() / began.elapsed().as_secs_f64();
            let resident = server.resident_bytes()? as f64 / 1_048_576.0;
            figures = figures
                .with(&format!("cpu_percent_of_{users:05}"), percent)
                .with(&format!("rss_mib_of_{users:05}"), resident)
                .with(&format!("delivery_p99_us_of_{users:05}"), crowd.delivery.micros(99.0));
        }
        Ok(figures
            .with("errors", crowd.errors as f64)
            .with("undelivered", crowd.undelivered() as f64)
            .with("deliveries_at_the_end", crowd.delivery.len() as f64)
            .with_latencies("delivery", &crowd.delivery)
            .with_latencies("reply", &crowd.reply)
            .with_latencies("rest_send", &crowd.posted)
            .with_latencies("rest_page", &crowd.fetched))
    }
}
