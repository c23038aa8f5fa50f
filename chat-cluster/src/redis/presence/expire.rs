use std::sync::{MutexGuard, PoisonError};

use chat_core::proto::{NodeId, PresenceStatus, UserId};
use redis::{FromRedisValue, Value};

use super::super::error::CallError;
use super::super::names::{user_name, user_of};
use super::super::request::Request;
use super::view::View;
use super::{Presence, online};

/// How many dead nodes one call looks at.
const NODES: usize = 16;
/// About how many users one call tells of. The rest is left to the next call, of whichever node.
const ENOUGH: usize = 10_000;
/// How many sets are read at once.
const SETS: usize = 16;
/// About how many users of a set are read at once, and made an end of in one step.
const PORTION: usize = 200;

impl Presence {
    /// Whoever was found to be gone is told by the next call that does not fail, so that a call that
    /// fails or is given up halfway loses nobody, save those of a portion whose answer is lost.
    pub(super) async fn expire(&self) -> Result<Vec<(UserId, PresenceStatus)>, CallError> {
        let arguments = [NODES.to_string()];
        let dead = self.of_leases(&self.scripts.dead, &arguments).repeatable();
        let (dead, view) = <(Vec<String>, Value)>::from_redis_value(self.servers.ask(dead).await?)?;
        let view = View::read(view)?;
        for node in dead.iter().filter_map(|node| node.parse().ok()) {
            if !self.end(node, &view).await? {
                break;
            }
        }
        Ok(std::mem::take(&mut *self.found()))
    }

    /// Makes an end of a node, or of a part of it; returns whether of all.
    async fn end(&self, node: NodeId, view: &View) -> Result<bool, CallError> {
        // Where to read on in each part.
        let parts = self.parts_of(node).await?;
        let mut unread: Vec<_> = parts.into_iter().map(|(part, _)| (part, 0)).collect();
        while !unread.is_empty() {
            if self.found().len() >= ENOUGH {
                return Ok(false);
            }
            let now = unread.split_off(unread.len().saturating_sub(SETS));
            unread.extend(self.end_portions(node, view, now).await?);
        }
        let forgetting = self.of_leases(&self.scripts.forget, &[node.to_string()]);
        self.servers.ask(forgetting.repeatable()).await?;
        Ok(true)
    }

    /// Makes an end of some users of each of these parts; returns where to read on.
    async fn end_portions(
        &self,
        node: NodeId,
        view: &View,
        parts: Vec<(u16, u64)>,
    ) -> Result<Vec<(u16, u64)>, CallError> {
        let read = |(part, cursor): &(u16, u64)| self.read_users(node, *part, *cursor, PORTION);
        let answers = self.servers.ask_all(parts.iter().map(read).collect()).await;
        let (mut unread, mut requests) = (Vec::new(), Vec::new());
        for ((part, _), answer) in parts.into_iter().zip(answers) {
            let (cursor, names) = <(u64, Vec<String>)>::from_redis_value(answer?)?;
            if cursor != 0 {
                unread.push((part, cursor));
            }
            for names in names.chunks(PORTION) {
                let users: Vec<_> = names.iter().filter_map(|name| user_of(name)).collect();
                let mut keys = vec![self.names.users_of_node(node, part)];
                keys.extend(users.iter().map(|user| self.names.user(user)));
                let names = users.iter().map(user_name);
                let arguments = view.after(std::iter::once(node.to_string()).chain(names));
                requests.push(self.scripts.gone.request(&keys, &arguments));
            }
        }
        let mut outcome = Ok(unread);
        for answer in self.servers.ask_all(requests).await {
            let gone = answer.and_then(|answer| Ok(Vec::<(_, _)>::from_redis_value(answer)?));
            match gone {
                Ok(gone) => self.found().extend(gone.into_iter().filter_map(gone_as)),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    /// To read some of the users of a node, from where one has stopped.
    pub(super) fn read_users(&self, node: NodeId, part: u16, cursor: u64, count: usize) -> Request {
        let key = self.names.users_of_node(node, part);
        Request::new("SSCAN", &key, (cursor, "COUNT", count))
    }

    fn found(&self) -> MutexGuard<'_, Vec<(UserId, PresenceStatus)>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those who are gone, by name and how the user was shown.
fn gone_as((name, shown): (String, String)) -> Option<(UserId, PresenceStatus)> {
    Some((user_of(&name)?, online::read(Some(&shown))))
}
