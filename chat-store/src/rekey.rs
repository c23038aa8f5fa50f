//! Keys of names that were made by older rules are made anew, alike in both databases.
//!
//! A key is computed by [`fold`](chat_core::proto::fold) or [`Username::skeletons`], which no SQL can
//! do. So after the migrations all users and rooms are walked through once, in portions that are a
//! transaction each. Every portion may be repeated: what is right already is left alone. A walk that
//! ends early begins again at the next start.
//!
//! **Two users whose names have become one.** The older keeps the key. The later one gets
//! [`Username::own_key`], under which nobody but its exact name is found, so both go on logging in, and
//! being mentioned and found, by the name as it is written; and nobody has to be renamed.
//!
//! **Nodes of the version before** may still make users and rooms during and after the walk, with their
//! own keys. So every start within a day walks again, through what was made since.

use std::time::Duration;

use async_trait::async_trait;
use chat_core::proto::{DisplayName, KEY_VERSION, RoomName, Username};
use jiff::Timestamp;
use uuid::Uuid;

use crate::failure::Failure;

/// How many users or rooms are looked at in one transaction.
pub(crate) const PORTION: i64 = 500;
/// How long nodes of the version before may be there.
const ROLLING_UPDATE: Duration = Duration::from_secs(24 * 60 * 60);
/// How far the clocks of nodes may differ.
const CLOCKS: Duration = Duration::from_secs(60 * 60);

/// The rules of the keys, as they are written down.
pub(crate) const VERSION: i64 = KEY_VERSION as i64;

/// The keys of a user, as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserKeys {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) username_key: String,
    pub(crate) display_name: String,
    pub(crate) display_key: String,
    pub(crate) created_at: i64,
}

impl UserKeys {
    fn name(&self) -> Username {
        Username::from_stored(self.username.clone())
    }

    /// Whether this user's name is the older one.
    fn is_older_than(&self, other: &Self) -> bool {
        (self.created_at, &self.id) < (other.created_at, &other.id)
    }
}

/// The key of a room, as it is stored.
pub(crate) struct RoomKey {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) key: String,
}

/// The keys of a database, within one transaction.
#[async_trait]
pub(crate) trait Keys: Send {
    /// The next users by id that were made at this time or later.
    async fn users(&mut self, after: &str, since: i64) -> Result<Vec<UserKeys>, Failure>;
    async fn user_with_key(&mut self, key: &str) -> Result<Option<UserKeys>, Failure>;
    async fn set_username_key(&mut self, id: &str, key: &str) -> Result<(), Failure>;
    async fn set_display_key(&mut self, id: &str, key: &str) -> Result<(), Failure>;
    /// Adds those that are not there; what somebody has stays that user's. They are sorted.
    async fn add_skeletons(&mut self, rows: &[(String, String)]) -> Result<(), Failure>;
    /// The next rooms by id that were made at this time or later.
    async fn rooms(&mut self, after: Uuid, since: i64) -> Result<Vec<RoomKey>, Failure>;
    async fn set_room_key(&mut self, id: Uuid, key: &str) -> Result<(), Failure>;
    /// When the walk by this version's rules began, if it has come to its end.
    async fn rekeyed_at(&mut self) -> Result<Option<i64>, Failure>;
    /// Writes down that it has, unless that is written down.
    async fn set_rekeyed_at(&mut self, at: i64) -> Result<(), Failure>;
}

/// How far the walk has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Walk {
    /// Only what was made then or later, in microseconds.
    since: i64,
    began_at: i64,
    at: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Users(String),
    Rooms(Uuid),
    End,
}

impl Walk {
    /// The walk that is due, if one is. In a database that was `empty` before the migrations there is
    /// nothing to walk through, now or later.
    pub(crate) async fn due(keys: &mut dyn Keys, empty: bool) -> Result<Option<Self>, Failure> {
        let now = Timestamp::now();
        let walk =
            |since| Self { since, began_at: now.as_microsecond(), at: Place::Users(String::new()) };
        match keys.rekeyed_at().await? {
            None if empty => {
                keys.set_rekeyed_at(0).await?;
                Ok(None)
            }
            None => Ok(Some(walk(i64::MIN))),
            Some(at) if at > before(now, ROLLING_UPDATE) => {
                let at = Timestamp::from_microsecond(at).unwrap_or(Timestamp::MIN);
                Ok(Some(walk(before(at, CLOCKS))))
            }
            Some(_) => Ok(None),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.at == Place::End
    }

    /// Goes through the next portion.
    pub(crate) async fn step(mut self, keys: &mut dyn Keys) -> Result<Self, Failure> {
        self.at = match self.at {
            Place::Users(after) => {
                let users = keys.users(&after, self.since).await?;
                rekey_users(keys, &users).await?;
                users.last().map_or(Place::Rooms(Uuid::nil()), |last| Place::Users(last.id.clone()))
            }
            Place::Rooms(after) => {
                let rooms = keys.rooms(after, self.since).await?;
                for room in &rooms {
                    let key = RoomName::from_stored(room.name.clone()).key();
                    if key != room.key {
                        keys.set_room_key(room.id, &key).await?;
                    }
                }
                match rooms.last() {
                    Some(last) => Place::Rooms(last.id),
                    None => {
                        keys.set_rekeyed_at(self.began_at).await?;
                        Place::End
                    }
                }
            }
            Place::End => Place::End,
        };
        Ok(self)
    }
}

fn before(time: Timestamp, by: Duration) -> i64 {
    time.saturating_sub(by).map_or(i64::MIN, |time| time.as_microsecond())
}

async fn rekey_users(keys: &mut dyn Keys, users: &[UserKeys]) -> Result<(), Failure> {
    let mut skeletons = Vec::new();
    for user in users {
        let display_key = DisplayName::from_stored(user.display_name.clone()).key();
        if display_key != user.display_key {
            keys.set_display_key(&user.id, &display_key).await?;
        }
        let name = user.name();
        if name.key() != user.username_key {
            // An earlier one of this portion may have made room.
            give_key(keys, user, &name).await?;
        }
        skeletons.extend(name.skeletons().into_iter().map(|look| (look, user.id.clone())));
    }
    skeletons.sort_unstable();
    keys.add_skeletons(&skeletons).await
}

/// Gives a user the key of the name, or, where an older one has it, one of the user's own.
async fn give_key(keys: &mut dyn Keys, user: &UserKeys, name: &Username) -> Result<(), Failure> {
    let key = name.key();
    if let Some(holder) = keys.user_with_key(&key).await? {
        let right = holder.name().key() == key;
        if holder.id == user.id {
            return Ok(());
        }
        if right && holder.is_older_than(user) {
            let own = name.own_key();
            return if own == user.username_key {
                Ok(())
            } else {
                keys.set_username_key(&user.id, &own).await
            };
        }
        // The later of the two, or one whose key is another: that one's turn is still to come.
        keys.set_username_key(&holder.id, &holder.name().own_key()).await?;
    }
    keys.set_username_key(&user.id, &key).await
}
