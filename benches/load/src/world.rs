use std::time::Duration;

use chat_auth::{HmacKey, JwtIssuer, TokenSubject};
use chat_core::proto::{
    ClientId, ConversationId, DisplayName, MessageBody, MessageId, RoomName, UserId, Username,
    Visibility,
};
use chat_core::store::{EnsureUser, JoinOutcome, MessageDraft, NewDirect, NewRoom, NewUser, Store};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::Failure;

/// Messages that are stored at once.
const BATCH: usize = 1_000;
/// What tokens are signed with.
pub(crate) const SECRET: &str = "a secret that only the servers of a measurement have";
/// How long tokens are good for.
const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// Who is there, and who talks to whom, before a server starts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct World {
    /// Users are numbered from 0.
    pub(crate) users: usize,
    /// Rooms with the numbers of their members.
    pub(crate) rooms: Vec<Room>,
    /// Pairs that have a conversation.
    pub(crate) directs: Vec<Direct>,
    /// Messages that each room begins with.
    #[serde(default)]
    pub(crate) messages: usize,
}

/// A conversation and the connections of its members.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) id: ConversationId,
    pub(crate) connections: Vec<usize>,
}

/// A room.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Room {
    pub(crate) id: ConversationId,
    pub(crate) members: Vec<usize>,
}

/// A direct conversation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Direct {
    pub(crate) id: ConversationId,
    pub(crate) pair: [usize; 2],
}

impl World {
    /// So many users who do not know each other.
    pub(crate) fn of(users: usize) -> Self {
        Self { users, ..Self::default() }
    }

    /// Adds a room.
    pub(crate) fn room(&mut self, members: impl IntoIterator<Item = usize>) {
        let members = members.into_iter().collect();
        self.rooms.push(Room { id: ConversationId::generate(), members });
    }

    /// Adds a direct conversation.
    pub(crate) fn direct(&mut self, one: usize, other: usize) {
        self.directs.push(Direct { id: ConversationId::generate(), pair: [one, other] });
    }

    /// Whether another one differs in nothing but its ids.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let members = |one: &Room, other: &Room| one.members == other.members;
        let pairs = |one: &Direct, other: &Direct| one.pair == other.pair;
        (self.users, self.messages) == (other.users, other.messages)
            && all_alike(&self.rooms, &other.rooms, members)
            && all_alike(&self.directs, &other.directs, pairs)
    }

    /// All conversations, first the rooms, when every user has the connection of the same number.
    pub(crate) fn places(&self) -> Vec<Place> {
        let rooms = self.rooms.iter().map(|room| (room.id, room.members.clone()));
        let directs = self.directs.iter().map(|direct| (direct.id, direct.pair.to_vec()));
        rooms.chain(directs).map(|(id, connections)| Place { id, connections }).collect()
    }

    /// Puts all of it into a store.
    pub(crate) async fn fill(&self, store: &dyn Store) -> Result<(), Failure> {
        let created_at = Timestamp::now();
        for number in 0..self.users {
            let id = user(number)?;
            let username = Username::parse(id.as_str())?;
            let display_name = DisplayName::parse(id.as_str())?;
            let new = NewUser { id, username, display_name, created_at };
            if store.ensure_user(new).await? == EnsureUser::UsernameTaken {
                return Err(format!("user {number} cannot be made").into());
            }
        }
        for (number, Room { id, members }) in self.rooms.iter().enumerate() {
            let name = RoomName::parse(&format!("room {number}"))?;
            let owner = user(*members.first().ok_or("a room has members")?)?;
            let visibility = Visibility::Public;
            let room = NewRoom {
                id: *id,
                name,
                topic: None,
                visibility,
                owner,
                created_at,
                max_memberships: usize::MAX,
            };
            store.create_room(room).await?;
            for member in &members[1..] {
                let joined = store.join(*id, &user(*member)?, created_at, usize::MAX).await?;
                if !matches!(joined, JoinOutcome::Joined(..)) {
                    return Err(format!("user {member} cannot join room {number}").into());
                }
            }
        }
        for Direct { id, pair: [opener, peer] } in &self.directs {
            let (opener, peer) = (user(*opener)?, user(*peer)?);
            let max_memberships = usize::MAX;
            let new = NewDirect { id: *id, opener, peer, created_at, max_memberships };
            store.open_direct(new).await?;
        }
        for room in &self.rooms {
            self.write_in(room, store).await?;
        }
        Ok(())
    }

    /// The messages that a room begins with, from its members in turns.
    async fn write_in(&self, room: &Room, store: &dyn Store) -> Result<(), Failure> {
        let content = MessageBody::parse(chat_benches::TEXT, chat_benches::TEXT.len())?;
        let members = room.members.iter().map(|member| user(*member));
        let members = members.collect::<Result<Vec<_>, _>>()?;
        for first in (0..self.messages).step_by(BATCH) {
            let numbers = first..(first + BATCH).min(self.messages);
            let draft = |number: usize| MessageDraft {
                id: MessageId::generate(),
                conversation_id: room.id,
                sender_id: members[number % members.len()].clone(),
                client_id: ClientId::generate(),
                content: content.clone(),
                mentions: Vec::new(),
                created_at: Timestamp::now(),
            };
            store.append(numbers.map(draft).collect()).await?;
        }
        Ok(())
    }
}

fn all_alike<T>(some: &[T], others: &[T], is_alike: impl Fn(&T, &T) -> bool) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| is_alike(one, other))
}

/// The id of a user.
pub(crate) fn user(number: usize) -> Result<UserId, Failure> {
    Ok(format!("user-{number:06}").parse()?)
}

/// A token for each of the first so many users.
pub(crate) fn tokens(count: usize) -> Result<Vec<String>, Failure> {
    let issuer = JwtIssuer::hs256(&key()?, None, None);
    let now = Timestamp::now();
    let token = |number| {
        let token = issuer.issue(&TokenSubject::of(user(number)?), now, LIFETIME)?;
        Ok(token.expose_secret().to_owned())
    };
    (0..count).map(token).collect()
}

/// What the tokens are checked with.
pub(crate) fn key() -> Result<HmacKey, Failure> {
    Ok(HmacKey::new(SECRET.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worlds_are_alike_whatever_their_ids() {
        let world = |members: usize| {
            let mut world = World::of(4);
            world.room(0..members);
            world.direct(0, 1);
            world
        };
        assert!(world(3).is_like(&world(3)));
        assert!(!world(3).is_like(&world(4)));
        assert!(!world(3).is_like(&World { messages: 1, ..world(3) }));
        assert!(!world(3).is_like(&World { directs: Vec::new(), ..world(3) }));
    }
}
