use std::time::Duration;

/// How a [`Breaker`](super::Breaker) stands: for metrics, and for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerState {
    /// What concerns calls that only read.
    pub reads: CircuitStatus,
    /// What concerns calls that write.
    pub writes: CircuitStatus,
}

/// How one circuit stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CircuitStatus {
    /// Whether calls pass.
    pub state: CircuitState,
    /// How often it has opened, not counting trials that failed.
    pub opened: u64,
    /// How many calls it has refused.
    pub refused: u64,
    /// Why the last call failed that did, with its causes, in the store's words: for operators, not
    /// for users.
    pub last_error: Option<String>,
}

/// Whether a circuit lets calls pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open {
        /// For how long still; zero when the next call is to find out.
        retry_after: Duration,
    },
    /// One call finds out, the others are refused.
    HalfOpen,
}

impl BreakerState {
    /// Whether reads and writes pass.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        [&self.reads, &self.writes].iter().all(|circuit| circuit.state == CircuitState::Closed)
    }
}
