//! When users were last seen whose node has died.
//!
//! The store knows which users are on which node, and when each node was last alive: one row for each
//! visit, written when it begins and removed when the user is recorded as gone, and one row for each
//! node, written twice in the time of a lease. So what a node that dies could not record, another
//! node, or the next run of the same, reads from there.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::Presence;
use crate::error::ChatError;
use crate::router::causes;
use crate::sharded::lock;
use crate::within::within;

/// How long arrivals are gathered before they are recorded.
const GATHER: Duration = Duration::from_secs(1);
/// Users recorded, or recorded as gone, by one call.
const AT_ONCE: usize = 1_000;

impl Presence {
    /// Keeps the store knowing who is here, and records when those were last seen who were on a node
    /// that has died. Runs until it is stopped.
    pub(crate) async fn keep_visits(&self) {
        let lease = self.config.presence_lease();
        let mut ticks = tokio::time::interval_at(Instant::now() + GATHER, GATHER);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut alive, mut looked) = (None, None);
        loop {
            let now = ticks.tick().await;
            let is_due = |last: Option<Instant>, period| last.is_none_or(|at| now >= at + period);
            // A node that is alone looks once: who else was here has died before it began.
            if if self.shared { is_due(looked, lease) } else { looked.is_none() } {
                match self.end_visits().await {
                    Ok(()) => looked = Some(now),
                    Err(error) => not_yet(&error),
                }
            }
            match self.record_visits(is_due(alive, lease / 2)).await {
                Ok(true) => alive = Some(now),
                Ok(false) => {}
                Err(error) => not_yet(&error),
            }
        }
    }

    /// Records who has come here, and that this node lives, which it does where somebody is here and it
    /// is due. Returns whether it did.
    async fn record_visits(&self, is_due: bool) -> Result<bool, ChatError> {
        let mut recorded = false;
        loop {
            let arrived = {
                let mut here = lock(&self.here);
                let arrived = here.take_arrived(AT_ONCE);
                let is_needed = is_due && !recorded && !here.is_empty();
                if here.is_handed_over() || (arrived.is_empty() && !is_needed) {
                    return Ok(recorded);
                }
                arrived
            };
            let recording = self.stores.visits.record_alive(self.node, &arrived);
            if let Err(error) = within(self.config.call_timeout(), recording).await {
                lock(&self.here).note_arrived(arrived);
                return Err(error);
            }
            recorded = true;
        }
    }

    /// Makes an end of visits to nodes that have died.
    async fn end_visits(&self) -> Result<(), ChatError> {
        // A node that does not reach the store for a moment is not dead.
        let silent = if self.shared { 2 * self.config.presence_lease() } else { Duration::ZERO };
        loop {
            let ending = self.stores.visits.end_visits(self.node, silent, AT_ONCE);
            if within(self.config.call_timeout(), ending).await?.len() < AT_ONCE {
                return Ok(());
            }
        }
    }
}

fn not_yet(error: &ChatError) {
    if !error.is_refusal() {
        tracing::debug!(error = %causes(error), "cannot record who is here, will try again");
    }
}
