//! Who is online, in three kinds of keys.
//!
//! *Leases* are in one slot: when each node's ends, by that server's clock, and its number. A *user*
//! is a hash with an entry for each node, and beside it, in the same slot, is the set of each node's
//! users, so that one script changes both. An entry bears the number of the lease under which it was
//! made and counts while that lease is in force; so nothing has to be changed when a node dies for
//! its users to be offline, and [`expire`] has only to tell of it, in portions, at leisure.
//!
//! The script that changes a user cannot see leases, which may be on another server. It is told which
//! were in force a moment ago, and by their numbers it knows those that began since.
//!
//! Everything goes away by itself a week after nobody has renewed it. A node's renewals touch all its
//! users, a few each time.

mod expire;
mod online;
mod scripts;
mod store;
mod touch;
mod view;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_core::presence::{Entered, Lease};
use chat_core::proto::{NodeId, PresenceStatus, UserId};
use redis::FromRedisValue;

use self::scripts::Scripts;
use self::touch::Touched;
use self::view::{Renewed, View};
use super::error::CallError;
use super::names::{Names, part, user_name};
use super::request::{Request, Script};
use super::servers::Servers;

/// How long what nobody renews is kept, beside a lease.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Presence, shared by all nodes.
pub(super) struct Presence {
    names: Names,
    servers: Arc<Servers>,
    scripts: Scripts,
    /// Users who are gone, of whom the caller has yet to be told. Held for one step.
    gone: Mutex<Vec<(UserId, PresenceStatus)>>,
    /// Who was touched last. Held for one step.
    touched: Mutex<Touched>,
}

impl Presence {
    pub(super) fn new(names: Names, servers: Arc<Servers>) -> Self {
        let (gone, touched) = (Mutex::default(), Mutex::default());
        Self { names, servers, scripts: Scripts::new(), gone, touched }
    }

    /// Two requests, one after the other: the lease, and the user.
    async fn enter(
        &self,
        node: NodeId,
        user: &UserId,
        devices: u32,
        shown: PresenceStatus,
        lease: Duration,
    ) -> Result<Entered, CallError> {
        let renewed = self.renew_lease(node, lease).await?;
        let arguments = renewed.view.after([
            node.to_string(),
            renewed.number.to_string(),
            devices.to_string(),
            user_name(user),
            keep(lease),
            online::written(shown).unwrap_or_default().to_owned(),
        ]);
        let entering = self.scripts.enter.request(&self.user_keys(node, user), &arguments);
        let (came_online, devices) =
            FromRedisValue::from_redis_value(self.servers.ask(entering).await?)?;
        Ok(Entered { came_online, devices, lease: renewed.lease })
    }

    /// Two requests, one after the other: which leases are in force, and the user.
    async fn leave(&self, node: NodeId, user: &UserId) -> Result<bool, CallError> {
        let arguments = self.view().await?.after([node.to_string(), user_name(user)]);
        let leaving = self.scripts.leave.request(&self.user_keys(node, user), &arguments);
        Ok(bool::from_redis_value(self.servers.ask(leaving).await?)?)
    }

    /// One request for the lease, and at the same time a few that keep users from being forgotten.
    async fn renew(&self, node: NodeId, lease: Duration) -> Result<Lease, CallError> {
        let (renewed, touched) =
            tokio::join!(self.renew_lease(node, lease), self.touch(node, lease));
        if let Err(error) = touched {
            tracing::debug!(%error, "entries of users could not be renewed; there is time");
        }
        Ok(renewed?.lease)
    }

    async fn set_status(&self, user: &UserId, status: PresenceStatus) -> Result<(), CallError> {
        let Some(shown) = online::written(status) else { return Ok(()) };
        let arguments = self.view().await?.after([shown.to_owned()]);
        let showing = self.scripts.show.request(&[self.names.user(user)], &arguments);
        self.servers.ask(showing.repeatable()).await.map(drop)
    }

    async fn renew_lease(&self, node: NodeId, lease: Duration) -> Result<Renewed, CallError> {
        let arguments = [node.to_string(), lease.as_micros().to_string(), keep(lease)];
        Renewed::read(self.servers.ask(self.of_leases(&self.scripts.renew, &arguments)).await?)
    }

    async fn view(&self) -> Result<View, CallError> {
        View::read(self.servers.ask(self.view_request()).await?)
    }

    fn view_request(&self) -> Request {
        self.of_leases(&self.scripts.view, &[]).repeatable()
    }

    fn of_leases(&self, script: &Script, arguments: &[String]) -> Request {
        let keys = [self.names.lease_ends(), self.names.leases_begun()];
        script.request(&keys, arguments)
    }

    /// A user, and the users of a node among whom this one is.
    fn user_keys(&self, node: NodeId, user: &UserId) -> [String; 2] {
        [self.names.user(user), self.names.users_of_node(node, part(user))]
    }
}

/// How long something under a lease is kept, in milliseconds.
fn keep(lease: Duration) -> String {
    (KEEP + lease).as_millis().to_string()
}
