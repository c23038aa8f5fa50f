#![doc = include_str!("../README.md")]

mod config;
mod error;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;

#[cfg(feature = "redis")]
pub use self::redis::RedisCluster;
pub use config::{ClusterConfig, InvalidNamespace, Namespace};
pub use error::ConnectError;
#[cfg(feature = "nats")]
pub use nats::NatsCluster;
