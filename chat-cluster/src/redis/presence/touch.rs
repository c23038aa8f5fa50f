use std::sync::PoisonError;
use std::time::Duration;

use chat_core::proto::NodeId;
use redis::FromRedisValue;

use super::super::error::CallError;
use super::super::names::{PARTS, user_of};
use super::super::request::Request;
use super::{Presence, keep};

/// About how many users are touched with one renewal. So all of a million users are touched within
/// 5,000 renewals: at one every ten seconds that is 14 hours, of the week that there is.
const AT_ONCE: usize = 200;

/// How far the touching of a node's users has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Touched {
    node: Option<NodeId>,
    part: u16,
    cursor: u64,
}

impl Presence {
    /// Keeps some of the users of a living node from being forgotten. Each call goes on where the
    /// last one ended, and begins anew after all.
    pub(super) async fn touch(&self, node: NodeId, lease: Duration) -> Result<(), CallError> {
        let touched = *self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        let Touched { part, cursor, .. } = match touched.node {
            Some(other) if other == node => touched,
            _ => Touched::default(),
        };
        let reading = self.read_users(node, part, cursor, AT_ONCE);
        let (cursor, names) =
            <(u64, Vec<String>)>::from_redis_value(self.servers.ask(reading).await?)?;
        let users =
            names.iter().filter_map(|name| user_of(name)).map(|user| self.names.user(&user));
        let keys = users.chain([self.names.users_of_node(node, part)]);
        let touching = keys.map(|key| Request::new("PEXPIRE", &key, keep(lease)));
        for answer in self.servers.ask_all(touching.collect()).await {
            answer?;
        }
        let part = if cursor == 0 { (part + 1) % PARTS } else { part };
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) =
            Touched { node: Some(node), part, cursor };
        Ok(())
    }
}
