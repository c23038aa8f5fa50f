use chat_core::proto::{NodeId, PresenceStatus, UserId};
use foldhash::{HashMap, HashSet, HashSetExt};
use redis::FromRedisValue;

use super::super::error::CallError;
use super::super::names::{PARTS, user_of};
use super::super::request::Request;
use super::Presence;
use super::view::View;

/// How a status is written. None for one that is not written: whoever is offline has none.
pub(super) const fn written(status: PresenceStatus) -> Option<&'static str> {
    match status {
        PresenceStatus::Online => Some("online"),
        PresenceStatus::Away => Some("away"),
        PresenceStatus::Invisible => Some("invisible"),
        _ => None,
    }
}

/// The status that was written. One that is not known, as it is newer than this node, is shown as
/// none.
pub(super) fn read(written: Option<&String>) -> PresenceStatus {
    match written.map(String::as_str) {
        Some("away") => PresenceStatus::Away,
        Some("invisible") => PresenceStatus::Invisible,
        _ => PresenceStatus::Online,
    }
}

impl Presence {
    /// One request for each user and one more, all at once.
    pub(super) async fn statuses(
        &self,
        users: &[UserId],
    ) -> Result<Vec<(UserId, PresenceStatus)>, CallError> {
        let users: HashSet<&UserId> = users.iter().collect();
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let users: Vec<_> = users.into_iter().collect();
        let of_users = users.iter().map(|user| Request::about("HGETALL", &self.names.user(user)));
        let requests = std::iter::once(self.view_request()).chain(of_users).collect();
        let mut answers = self.servers.ask_all(requests).await.into_iter();
        let view = View::read(answers.next().unwrap_or(Err(CallError::NoServer))?)?;
        let mut online = Vec::new();
        for (user, answer) in users.into_iter().zip(answers) {
            let fields = HashMap::<String, String>::from_redis_value(answer?)?;
            let is_entry = |node: &str, entry: &str| node != "shown" && view.counts(entry);
            if fields.iter().any(|(node, entry)| is_entry(node, entry)) {
                online.push((user.clone(), read(fields.get("shown"))));
            }
        }
        Ok(online)
    }

    /// Asks one living node after the other for its users, and then who of them is online, until
    /// there are enough.
    pub(super) async fn online(
        &self,
        limit: usize,
    ) -> Result<Vec<(UserId, PresenceStatus)>, CallError> {
        let living = self.of_leases(&self.scripts.living, &[]).repeatable();
        let living = Vec::<String>::from_redis_value(self.servers.ask(living).await?)?;
        let (mut seen, mut online) = (HashSet::new(), Vec::new());
        for node in living.iter().filter_map(|node| node.parse().ok()) {
            if online.len() >= limit {
                break;
            }
            let mut users = self.users_of(node, limit).await?;
            users.retain(|user| seen.insert(user.clone()));
            users.truncate(limit);
            online.extend(self.statuses(&users).await?);
        }
        online.truncate(limit);
        Ok(online)
    }

    /// Users who have entered a node, all of them or somewhat more than `limit`.
    async fn users_of(&self, node: NodeId, limit: usize) -> Result<Vec<UserId>, CallError> {
        let mut missing = limit;
        let mut requests = Vec::new();
        for (part, count) in self.parts_of(node).await? {
            let some = count.min(missing);
            let key = self.names.users_of_node(node, part);
            requests.push(Request::new("SRANDMEMBER", &key, some));
            missing -= some;
            if missing == 0 {
                break;
            }
        }
        let mut users = Vec::new();
        for answer in self.servers.ask_all(requests).await {
            let names = Vec::<String>::from_redis_value(answer?)?;
            users.extend(names.iter().filter_map(|name| user_of(name)));
        }
        Ok(users)
    }

    /// The parts in which a node has users, with how many.
    pub(super) async fn parts_of(&self, node: NodeId) -> Result<Vec<(u16, usize)>, CallError> {
        let count = |part| Request::about("SCARD", &self.names.users_of_node(node, part));
        let answers = self.servers.ask_all((0..PARTS).map(count).collect()).await;
        let mut parts = Vec::new();
        for (part, answer) in (0..).zip(answers) {
            let count = usize::from_redis_value(answer?)?;
            if count > 0 {
                parts.push((part, count));
            }
        }
        Ok(parts)
    }
}
