use crate::router::BrokerTraffic;

/// What an engine had to do with other nodes since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ClusterStats {
    /// What went over the broker.
    pub broker: BrokerTraffic,
    /// Events that this node counted against a limit alone, because the count that all nodes share
    /// did not answer in time.
    pub limit_fallbacks: u64,
}
