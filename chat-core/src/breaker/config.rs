use std::time::Duration;

/// When a [`Breaker`](super::Breaker) stops asking a store, and when it tries again. Every field has
/// a default that suits most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerConfig {
    /// How long one call may take. Then it is given up, and counts as a failure. Default 5 s.
    pub timeout: Duration,
    /// Failures in a row from which on the store is not asked. Two are enough when there was no
    /// answer for as long as a [`timeout`](Self::timeout), counted from when the first of them
    /// began: so two calls that time out, whether at once or one after the other. Default 5.
    pub failures: u32,
    /// The share of failures, in percent, from which on the store is not asked even though some
    /// calls succeed. Default 50.
    pub failed_percent: u8,
    /// The calls of one [`window`](Self::window) before which no share is told. Default 20.
    pub window_calls: u32,
    /// Over how long the share of failures is counted. Default 10 s.
    pub window: Duration,
    /// How long the store is left alone at first. Default 500 ms.
    pub min_pause: Duration,
    /// How long it is left alone at most: each try that fails doubles the pause up to here.
    /// Default 5 s.
    pub max_pause: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            failures: 5,
            failed_percent: 50,
            window_calls: 20,
            window: Duration::from_secs(10),
            min_pause: Duration::from_millis(500),
            max_pause: Duration::from_secs(5),
        }
    }
}
