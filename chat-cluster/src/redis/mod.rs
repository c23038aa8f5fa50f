//! Through Redis.

/// Not yet.
#[derive(Debug)]
pub struct RedisCluster;
