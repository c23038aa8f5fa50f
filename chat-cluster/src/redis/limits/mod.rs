use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::limit::{LimitKey, Quota, SharedLimits, Verdict};
use chat_core::store::StoreError;
use redis::FromRedisValue;

use super::RedisCluster;
use super::error::CallError;
use super::names::Names;
use super::request::Script;
use super::servers::Servers;

/// Limits as one key for each, which goes away when it says no more than none.
pub(super) struct Limits {
    names: Names,
    servers: Arc<Servers>,
    count: Script,
}

impl Limits {
    pub(super) fn new(names: Names, servers: Arc<Servers>) -> Self {
        Self { names, servers, count: Script::new(include_str!("count.lua")) }
    }

    /// One request, one step, by the server's clock. An event whose answer is lost may have been
    /// counted.
    async fn count(&self, key: &LimitKey, quota: &Quota) -> Result<Verdict, CallError> {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let times = [nanos(quota.interval()), nanos(quota.tolerance())];
        let answer = self.servers.ask(self.count.request(&[self.names.limit(key)], &times)).await?;
        Ok(match u64::from_redis_value(answer)? {
            0 => Verdict::Allowed,
            wait => Verdict::Wait(Duration::from_nanos(wait)),
        })
    }
}

#[async_trait]
impl SharedLimits for RedisCluster {
    async fn count(&self, key: &LimitKey, quota: &Quota) -> Result<Verdict, StoreError> {
        Ok(self.member.limits.count(key, quota).await?)
    }
}
