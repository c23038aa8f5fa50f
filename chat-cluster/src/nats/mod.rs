//! Through NATS.

/// Not yet.
#[derive(Debug)]
pub struct NatsCluster;
