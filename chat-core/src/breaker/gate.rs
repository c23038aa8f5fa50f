use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::circuit::{Circuit, Outcome, Stand, Ticket, Transition};
use super::{BreakerConfig, CircuitState, CircuitStatus};
use crate::router::causes;
use crate::sharded::lock;
use crate::store::StoreError;

/// One circuit with its counts, shared by all its callers.
#[derive(Debug)]
pub(super) struct Gate {
    /// What passes: `reads` or `writes`.
    name: &'static str,
    timeout: Duration,
    /// Held for one step of the circuit.
    state: Mutex<Counted>,
}

#[derive(Debug)]
struct Counted {
    circuit: Circuit,
    opened: u64,
    refused: u64,
    last_error: Option<String>,
}

/// One call on its way. Dropped before it was [settled](Permit::settle), it settles itself: its
/// caller has gone away.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    gate: &'a Gate,
    ticket: Option<Ticket>,
    began: Instant,
}

impl Gate {
    pub(super) fn new(name: &'static str, config: &BreakerConfig) -> Self {
        let circuit = Circuit::new(config.clone(), RandomState::new().build_hasher().finish());
        let state = Counted { circuit, opened: 0, refused: 0, last_error: None };
        Self { name, timeout: config.timeout, state: Mutex::new(state) }
    }

    /// Lets a call through, or refuses it.
    pub(super) fn enter(&self) -> Result<Permit<'_>, StoreError> {
        let now = Instant::now();
        let mut state = lock(&self.state);
        match state.circuit.admit(now) {
            Ok(ticket) => Ok(Permit { gate: self, ticket: Some(ticket), began: now }),
            Err(retry_after) => {
                state.refused += 1;
                Err(StoreError::CircuitOpen { retry_after })
            }
        }
    }

    /// Takes what became of a call that passed without asking.
    pub(super) fn probed<T>(&self, result: &Result<T, StoreError>, began: Instant) {
        let outcome = outcome(result);
        self.step(result.as_ref().err(), |circuit, now| circuit.probed(outcome, began, now));
    }

    pub(super) fn status(&self) -> CircuitStatus {
        let state = lock(&self.state);
        CircuitStatus {
            state: match state.circuit.stand(Instant::now()) {
                Stand::Closed => CircuitState::Closed,
                Stand::Open { retry_after } => CircuitState::Open { retry_after },
                Stand::HalfOpen => CircuitState::HalfOpen,
            },
            opened: state.opened,
            refused: state.refused,
            last_error: state.last_error.clone(),
        }
    }

    /// Moves the circuit, and says so where its state has changed: once, not for each call.
    fn step(
        &self,
        error: Option<&StoreError>,
        step: impl FnOnce(&mut Circuit, Instant) -> Option<Transition>,
    ) {
        let error = error.filter(|error| error.is_unavailable()).map(|error| causes(error));
        let (transition, last_error) = {
            let mut state = lock(&self.state);
            let transition = step(&mut state.circuit, Instant::now());
            if matches!(transition, Some(Transition::Opened { .. })) {
                state.opened += 1;
            }
            if error.is_some() {
                state.last_error = error;
            }
            (transition, transition.and(state.last_error.clone()).unwrap_or_default())
        };
        let calls = self.name;
        match transition {
            Some(Transition::Opened { pause }) => tracing::warn!(
                calls,
                ?pause,
                error = last_error,
                "the store does not answer and is not asked for a while"
            ),
            Some(Transition::Reopened { pause }) => {
                tracing::info!(
                    calls,
                    ?pause,
                    error = last_error,
                    "the store still does not answer"
                );
            }
            Some(Transition::Closed) => tracing::info!(calls, "the store answers again"),
            None => {}
        }
    }
}

impl Permit<'_> {
    /// Notes what became of the call.
    pub(super) fn settle<T>(mut self, result: &Result<T, StoreError>) {
        self.leave(outcome(result), result.as_ref().err());
    }

    fn leave(&mut self, outcome: Outcome, error: Option<&StoreError>) {
        if let Some(ticket) = self.ticket.take() {
            self.gate.step(error, |circuit, now| circuit.settle(ticket, outcome, now));
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            let waited = self.began.elapsed();
            if waited >= self.gate.timeout / 2 {
                let error = StoreError::unavailable(GivenUp { waited });
                self.leave(Outcome::Failed, Some(&error));
            } else {
                self.leave(Outcome::Abandoned, None);
            }
        }
    }
}

const fn outcome<T>(result: &Result<T, StoreError>) -> Outcome {
    match result {
        Err(error) if error.is_unavailable() => Outcome::Failed,
        Ok(_) | Err(_) => Outcome::Answered,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no answer for {} ms, and nobody waits for it any more", waited.as_millis())]
struct GivenUp {
    waited: Duration,
}
