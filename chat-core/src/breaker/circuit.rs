//! The circuit: whether calls may pass, decided from what came of those before. A pure state
//! machine with moments passed in.

use std::time::Duration;

use tokio::time::Instant;

use super::BreakerConfig;

/// One circuit: closed while calls pass, open while they are refused, half-open while one of them
/// finds out.
#[derive(Debug)]
pub(super) struct Circuit {
    rules: BreakerConfig,
    state: State,
    /// Counts changes of the state. What becomes of a call says something about the state in which
    /// it was let through, and nothing about a later one.
    epoch: u64,
    /// Failures since the last answer.
    consecutive: u32,
    /// When the first of them began, or when there was an answer after that: since then there was
    /// none.
    failing_since: Option<Instant>,
    /// When there was an answer last.
    answered: Option<Instant>,
    window: Window,
    /// The next pause, before it is varied.
    pause: Duration,
    random: u64,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    /// Refuses until this moment; the first call after it is the trial.
    Open {
        until: Instant,
    },
    /// The trial is under way. From `overdue` on, nobody waits for it any more: its caller may hold
    /// a future that nothing drives.
    HalfOpen {
        overdue: Instant,
    },
}

/// Calls and failures since a moment.
#[derive(Debug)]
struct Window {
    since: Option<Instant>,
    calls: u32,
    failures: u32,
}

/// A call that was let through. What became of it must be [settled](Circuit::settle).
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    epoch: u64,
    began: Instant,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The store answered, if only that it cannot do what it was asked.
    Answered,
    /// It did not answer, or said that it is not available.
    Failed,
    /// The caller went away before either.
    Abandoned,
}

/// A change of state that an operator wants to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transition {
    Opened { pause: Duration },
    Reopened { pause: Duration },
    Closed,
}

/// How a circuit stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    Closed,
    Open { retry_after: Duration },
    HalfOpen,
}

impl Circuit {
    /// A closed circuit. The seed varies its pauses, so that nodes do not try in step.
    pub(super) fn new(rules: BreakerConfig, seed: u64) -> Self {
        Self {
            pause: rules.min_pause,
            rules,
            state: State::Closed,
            epoch: 0,
            consecutive: 0,
            failing_since: None,
            answered: None,
            window: Window { since: None, calls: 0, failures: 0 },
            random: seed,
        }
    }

    /// Lets a call through.
    ///
    /// # Errors
    ///
    /// When to ask again, if the call is refused.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Ticket, Duration> {
        match self.state {
            State::Closed => {}
            State::Open { until } if now < until => return Err(until - now),
            State::HalfOpen { overdue } if now < overdue => return Err(self.rules.min_pause),
            State::Open { .. } | State::HalfOpen { .. } => {
                let overdue = now + self.rules.timeout + self.rules.timeout / 4;
                self.enter(State::HalfOpen { overdue });
            }
        }
        Ok(Ticket { epoch: self.epoch, began: now })
    }

    /// Takes what became of a call.
    pub(super) fn settle(
        &mut self,
        ticket: Ticket,
        outcome: Outcome,
        now: Instant,
    ) -> Option<Transition> {
        if ticket.epoch != self.epoch {
            return None;
        }
        match (self.state, outcome) {
            (State::Closed, outcome) => self.count(outcome, ticket.began, now),
            (State::HalfOpen { .. }, Outcome::Answered) => Some(self.close()),
            (State::HalfOpen { .. }, Outcome::Failed) => Some(self.reopen(now)),
            (State::HalfOpen { .. }, Outcome::Abandoned) => {
                // Nothing was found out: the next call is the trial.
                self.enter(State::Open { until: now });
                None
            }
            // Nothing is let through in this state.
            (State::Open { .. }, _) => None,
        }
    }

    /// Takes what became of a call that did not ask to be let through.
    pub(super) fn probed(
        &mut self,
        outcome: Outcome,
        began: Instant,
        now: Instant,
    ) -> Option<Transition> {
        match (self.state, outcome) {
            (State::Closed, outcome) => self.count(outcome, began, now),
            (_, Outcome::Answered) => Some(self.close()),
            // As good as a trial.
            (State::Open { until }, Outcome::Failed) if now >= until => Some(self.reopen(now)),
            (State::Open { .. } | State::HalfOpen { .. }, _) => None,
        }
    }

    pub(super) fn stand(&self, now: Instant) -> Stand {
        match self.state {
            State::Closed => Stand::Closed,
            State::Open { until } => {
                Stand::Open { retry_after: until.saturating_duration_since(now) }
            }
            State::HalfOpen { .. } => Stand::HalfOpen,
        }
    }

    fn count(&mut self, outcome: Outcome, began: Instant, now: Instant) -> Option<Transition> {
        let failed = match outcome {
            Outcome::Abandoned => return None,
            Outcome::Answered => false,
            Outcome::Failed => true,
        };
        self.window.count(failed, now, self.rules.window);
        if !failed {
            self.consecutive = 0;
            self.failing_since = None;
            self.answered = Some(now);
            return None;
        }
        self.consecutive = self.consecutive.saturating_add(1);
        let silent = self.answered.map_or(began, |answered| answered.max(began));
        let since = *self.failing_since.get_or_insert(silent);
        let in_a_row = self.consecutive >= self.rules.failures.max(1);
        // Calls that wait for each other take a timeout each to fail. One alone proves little: it
        // may have waited for a lock.
        let for_long = self.consecutive > 1 && now >= since + self.rules.timeout;
        (in_a_row || for_long || self.window.is_bad(&self.rules)).then(|| {
            let pause = self.open(now);
            Transition::Opened { pause }
        })
    }

    fn open(&mut self, now: Instant) -> Duration {
        let pause = self.varied(self.pause);
        self.pause = (self.pause * 2).min(self.rules.max_pause);
        self.enter(State::Open { until: now + pause });
        pause
    }

    fn reopen(&mut self, now: Instant) -> Transition {
        Transition::Reopened { pause: self.open(now) }
    }

    fn close(&mut self) -> Transition {
        self.consecutive = 0;
        self.failing_since = None;
        self.window = Window { since: None, calls: 0, failures: 0 };
        self.pause = self.rules.min_pause;
        self.enter(State::Closed);
        Transition::Closed
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }

    /// Between three quarters of a pause and all of it.
    fn varied(&mut self, pause: Duration) -> Duration {
        // Sebastiano Vigna's splitmix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let share = u32::try_from((mixed ^ (mixed >> 31)) & 0xff).unwrap_or(0);
        pause * 3 / 4 + pause / 4 * share / 0xff
    }
}

impl Window {
    fn count(&mut self, failed: bool, now: Instant, length: Duration) {
        if self.since.is_none_or(|since| now >= since + length) {
            *self = Self { since: Some(now), calls: 0, failures: 0 };
        }
        self.calls = self.calls.saturating_add(1);
        self.failures = self.failures.saturating_add(failed.into());
    }

    fn is_bad(&self, rules: &BreakerConfig) -> bool {
        self.calls >= rules.window_calls.max(1)
            && u64::from(self.failures) * 100
                >= u64::from(self.calls) * u64::from(rules.failed_percent)
    }
}

#[cfg(test)]
mod tests;
