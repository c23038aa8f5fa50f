use std::time::Duration;

use bytes::Bytes;
use chat_core::presence::{Entered, Lease};
use chat_core::proto::{NodeId, PresenceStatus, UserId};
use foldhash::HashSet;
use futures::{StreamExt, TryStreamExt, stream};

use super::AT_ONCE;
use super::attempts::Attempts;
use super::bucket::{Bucket, Reading};
use super::error::NatsError;
use super::expiry::Expiry;
use super::leases::Leases;
use super::record::{Place, Record, Term, user_key, user_of};

/// Who is online where: a record for each user, changed on the condition that nobody else changed it
/// meanwhile, so that of several changes exactly one is the first or the last.
///
/// Beside it each place of a user has a key that begins with the node, by which users are found
/// when the node's lease has ended. It is written before the record names the place, and removed
/// after, so that no place is without.
#[derive(Debug)]
pub(super) struct Presence {
    users: Bucket,
    places: Bucket,
    leases: Leases,
    expiry: Expiry,
}

impl Presence {
    pub(super) fn new(leases: Bucket, users: Bucket, places: Bucket) -> Self {
        Self { users, places, leases: Leases::new(leases), expiry: Expiry::new() }
    }

    /// Makes the buckets.
    pub(super) async fn ensure(&self) -> Result<(), NatsError> {
        let (leases, users) = (self.leases.bucket().ensure(), self.users.ensure());
        tokio::try_join!(leases, users, self.places.ensure()).map(|_| ())
    }

    pub(super) async fn enter(
        &self,
        node: NodeId,
        user: &UserId,
        devices: u32,
        shown: PresenceStatus,
        lease: Duration,
    ) -> Result<Entered, NatsError> {
        let (term, lease) = self.leases.hold(node, lease).await?;
        let mut attempts = Attempts::default();
        let mut key = None;
        loop {
            let (record, revision) = self.record(user, attempts.next().await?).await?;
            let others = record.places.iter().filter(|place| place.node != node);
            let mut alive = self.leases.alive(others).await?;
            alive.insert((node, term));
            let mut record = record.retain(is_alive(&alive));
            let came_online = record.places.is_empty();
            let known = record.places.iter().find(|place| place.node == node);
            let key = match known.map(|place| place.key).or(key) {
                Some(known) => known,
                None => {
                    let name = place_key(node, term, user);
                    *key.insert(self.places.write(&name, Bytes::new()).await?)
                }
            };
            if came_online && shown != PresenceStatus::Online {
                record.status = Some(shown);
            }
            record.enter(Place { node, term, devices, key });
            if self.write(user, &record, revision).await? {
                self.leases.told(node, lease).await;
                return Ok(Entered { came_online, devices: record.devices(), lease });
            }
        }
    }

    pub(super) async fn leave(&self, node: NodeId, user: &UserId) -> Result<bool, NatsError> {
        let mut attempts = Attempts::default();
        loop {
            let reading = attempts.next().await?;
            let (record, revision) = self.record(user, reading).await?;
            let Some(here) = record.places.iter().find(|place| place.node == node).copied() else {
                if reading == Reading::Certain {
                    return Ok(false);
                }
                continue;
            };
            let alive = self.leases.alive(record.places.iter().filter(|place| **place != here));
            let alive = alive.await?;
            let rest = record.retain(|place| *place != here && is_alive(&alive)(place));
            if self.write(user, &rest, revision).await? {
                self.places.remove(here.key).await?;
                return Ok(rest.places.is_empty());
            }
        }
    }

    pub(super) async fn renew(&self, node: NodeId, lease: Duration) -> Result<Lease, NatsError> {
        self.leases.renew(node, lease).await
    }

    pub(super) async fn expire(
        &self,
        within: Duration,
    ) -> Result<Vec<(UserId, PresenceStatus)>, NatsError> {
        self.expiry.run(self, within).await
    }

    pub(super) async fn set_status(
        &self,
        user: &UserId,
        status: PresenceStatus,
    ) -> Result<(), NatsError> {
        let mut attempts = Attempts::default();
        loop {
            let reading = attempts.next().await?;
            let (mut record, revision) = self.record(user, reading).await?;
            let online = !self.leases.alive(&record.places).await?.is_empty();
            if online {
                record.status = Some(status);
                if self.write(user, &record, revision).await? {
                    return Ok(());
                }
            } else if reading == Reading::Certain {
                return Ok(());
            }
        }
    }

    pub(super) async fn statuses(
        &self,
        users: &[UserId],
    ) -> Result<Vec<(UserId, PresenceStatus)>, NatsError> {
        let users: HashSet<UserId> = users.iter().cloned().collect();
        let reads = stream::iter(users).map(|user| async move {
            let (record, _) = self.record(&user, Reading::Near).await?;
            Ok::<_, NatsError>((user, record))
        });
        self.online_of(reads.buffer_unordered(AT_ONCE).try_collect().await?).await
    }

    pub(super) async fn online(
        &self,
        limit: usize,
    ) -> Result<Vec<(UserId, PresenceStatus)>, NatsError> {
        let found = self.users.first(">", limit).await?;
        let records = found.into_iter().filter_map(|(key, entry)| {
            let user = user_of(&key)?;
            let record = serde_json::from_slice(&entry.value).map_err(NatsError::damaged);
            Some(record.map(|record| (user, record)))
        });
        self.online_of(records.collect::<Result<_, _>>()?).await
    }

    /// Those who are online, and how they are shown.
    async fn online_of(
        &self,
        records: Vec<(UserId, Record)>,
    ) -> Result<Vec<(UserId, PresenceStatus)>, NatsError> {
        let places = records.iter().flat_map(|(_, record)| &record.places);
        let alive = self.leases.alive(places).await?;
        let online =
            records.into_iter().filter(|(_, record)| record.places.iter().any(is_alive(&alive)));
        Ok(online.map(|(user, record)| (user, record.shown())).collect())
    }

    /// Takes a user from a place whose lease has ended. Returns how the user was shown, if the user
    /// is thereby on no node, which one caller is told.
    pub(super) async fn evict(
        &self,
        user: &UserId,
        node: NodeId,
        term: Term,
    ) -> Result<Option<PresenceStatus>, NatsError> {
        let mut attempts = Attempts::default();
        loop {
            let reading = attempts.next().await?;
            let (record, revision) = self.record(user, reading).await?;
            if !record.places.iter().any(|place| place.node == node && place.term == term) {
                if reading == Reading::Certain {
                    return Ok(None);
                }
                continue;
            }
            let shown = record.shown();
            let others = record.places.iter().filter(|place| place.node != node);
            let alive = self.leases.alive(others).await?;
            let rest = record.retain(is_alive(&alive));
            if self.write(user, &rest, revision).await? {
                return Ok(rest.places.is_empty().then_some(shown));
            }
        }
    }

    pub(super) const fn leases(&self) -> &Leases {
        &self.leases
    }

    pub(super) const fn places(&self) -> &Bucket {
        &self.places
    }

    /// What is known of a user, and its revision: nothing and zero of most.
    async fn record(&self, user: &UserId, reading: Reading) -> Result<(Record, u64), NatsError> {
        match self.users.read(&user_key(user), reading).await? {
            Some(entry) => {
                let record = serde_json::from_slice(&entry.value).map_err(NatsError::damaged)?;
                Ok((record, entry.revision))
            }
            None => Ok((Record::default(), 0)),
        }
    }

    /// Writes what is known of a user, or removes it when that is nothing. Returns whether nobody
    /// else did so since this revision.
    async fn write(
        &self,
        user: &UserId,
        record: &Record,
        revision: u64,
    ) -> Result<bool, NatsError> {
        if record.places.is_empty() {
            return self.users.remove(revision).await;
        }
        let value = serde_json::to_vec(record).map_err(NatsError::damaged)?;
        let written = self.users.replace(&user_key(user), revision, value.into()).await?;
        Ok(written.is_some())
    }
}

/// The key of a place.
fn place_key(node: NodeId, term: Term, user: &UserId) -> String {
    format!("{}.{}", place_keys(node, term), user_key(user))
}

/// What the keys of a lease's places begin with.
pub(super) fn place_keys(node: NodeId, term: Term) -> String {
    format!("{node}.{:016x}", term.0)
}

fn is_alive(alive: &HashSet<(NodeId, Term)>) -> impl Fn(&Place) -> bool {
    |place| alive.contains(&(place.node, place.term))
}
