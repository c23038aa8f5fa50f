//! The hub: which devices are attached to this node, and which conversations each is told of.
//!
//! A conversation's devices are found by one look-up; offering a delivery to one is a push behind
//! that device's own lock, or a write that does not wait. Nothing here waits.

mod changes;
mod delivery;
mod device;
mod floors;
mod outbox;
mod told_states;

use std::sync::{Arc, Mutex, Weak};

use chat_proto::{ConversationId, LoginSessionId, UserId};
use foldhash::HashSet;

use changes::Changes;
pub(crate) use delivery::{Delivery, Frame, Origin};
pub(crate) use device::Device;
pub(crate) use floors::Floors;
pub(crate) use outbox::{End, Item, Outbox, Taken};
pub(crate) use told_states::{StateSubject, ToldStates};

use crate::direct::Batch;
use crate::sharded::{Sharded, lock};

/// The registry of attached devices.
///
/// Lock order: a user's part, then a room's part, then a room's list, then an outbox or a lane.
#[derive(Debug)]
pub(crate) struct Hub {
    users: Sharded<UserId, Attached>,
    rooms: Sharded<ConversationId, Arc<Room>>,
}

/// A user with at least one device here.
#[derive(Debug, Default)]
struct Attached {
    devices: Vec<Arc<Device>>,
    /// The conversations the user's devices are told of, with the change by which the user joined.
    memberships: Changes,
}

/// A conversation with at least one device here.
#[derive(Debug, Default)]
struct Room {
    /// Held when a device comes or goes, and for a moment by a fan-out, which takes the list as it is.
    /// Who comes or goes during a fan-out changes a copy, the first of them having made it.
    devices: Mutex<Arc<Vec<Arc<Device>>>>,
}

impl Room {
    fn add(&self, device: &Arc<Device>, announce: impl Fn(&Device) -> Option<Item>) {
        let mut devices = lock(&self.devices);
        if let Some(item) = announce(device) {
            device.outbox.offer(item);
        }
        Arc::make_mut(&mut devices).push(Arc::clone(device));
    }

    /// Removes devices; returns whether none is left, and the fan-outs that may still reach them.
    fn remove(&self, gone: impl Fn(&Device) -> bool) -> (bool, UnderWay) {
        let mut devices = lock(&self.devices);
        let under_way = UnderWay(Arc::downgrade(&devices));
        Arc::make_mut(&mut devices).retain(|device| !gone(device));
        (devices.is_empty(), under_way)
    }

    /// The devices at this moment.
    fn devices(&self) -> Arc<Vec<Arc<Device>>> {
        Arc::clone(&lock(&self.devices))
    }
}

/// What a detached device leaves behind.
#[derive(Debug)]
pub(crate) struct Detached {
    /// Whether it was its user's last device here.
    pub(crate) last: bool,
    /// Conversations that no device here is told of any more.
    pub(crate) emptied: Vec<ConversationId>,
    /// If it was the last: the conversations it was told of.
    pub(crate) told: Vec<ConversationId>,
}

/// Fan-outs that took a room's list before it changed: each holds the list while it goes over it.
#[derive(Debug, Default)]
pub(crate) struct UnderWay(Weak<Vec<Arc<Device>>>);

impl UnderWay {
    /// Whether none is left.
    pub(crate) fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// What came of ending a subscription.
#[derive(Debug)]
pub(crate) enum Unsubscribed {
    /// The user's devices are told no more.
    Done {
        /// Whether no device here is told of the conversation any more.
        emptied: bool,
        /// The user's devices.
        devices: Vec<Arc<Device>>,
        /// What may still reach them.
        under_way: UnderWay,
    },
    /// The user has joined again by a later change, and is still told.
    JoinedAgain { joined: u64, devices: Vec<Arc<Device>> },
    /// The user was not told.
    Unknown,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self { users: Sharded::new(), rooms: Sharded::new() }
    }

    /// Adds a device, which is told of what its user's other devices are told of. False when the
    /// user has `max` devices here already.
    pub(crate) fn attach(&self, device: &Arc<Device>, max: usize) -> bool {
        let mut users = self.users.lock(&device.user);
        let user = users.entry(device.user.clone()).or_default();
        if user.devices.len() >= max {
            return false;
        }
        user.devices.push(Arc::clone(device));
        for conversation in user.memberships.conversations() {
            self.add_to_room(conversation, device, |_| None);
        }
        true
    }

    pub(crate) fn detach(&self, device: &Device) -> Detached {
        let mut users = self.users.lock(&device.user);
        let Some(user) = users.get_mut(&device.user) else {
            return Detached { last: false, emptied: Vec::new(), told: Vec::new() };
        };
        user.devices.retain(|other| other.id != device.id);
        let emptied = user
            .memberships
            .conversations()
            .filter(|conversation| {
                self.remove_from_room(*conversation, |other| other.id == device.id).0
            })
            .collect();
        let last = user.devices.is_empty();
        let gone = if last { users.remove(&device.user) } else { None };
        let told = gone.iter().flat_map(|user| user.memberships.conversations()).collect();
        Detached { last, emptied, told }
    }

    /// Makes a user's devices be told of a conversation, from the change by which the user joined
    /// it.
    ///
    /// A device that was not told of it before is first offered what `announce` says, at a moment
    /// at which no fan-out to the conversation can begin: what has begun to be fanned out, the device
    /// has missed; what has not, it gets.
    pub(crate) fn subscribe(
        &self,
        user: &UserId,
        conversation: ConversationId,
        joined: u64,
        announce: impl Fn(&Device) -> Option<Item>,
    ) {
        let mut users = self.users.lock(user);
        let Some(user) = users.get_mut(user) else { return };
        if !user.memberships.raise(conversation, joined) {
            return;
        }
        for device in &user.devices {
            self.add_to_room(conversation, device, &announce);
        }
    }

    /// Ends that, by the change by which the user left.
    pub(crate) fn unsubscribe(
        &self,
        user: &UserId,
        conversation: ConversationId,
        left: u64,
    ) -> Unsubscribed {
        let mut users = self.users.lock(user);
        let Some(attached) = users.get_mut(user) else { return Unsubscribed::Unknown };
        match attached.memberships.get(conversation) {
            Some(joined) if joined > left => {
                Unsubscribed::JoinedAgain { joined, devices: attached.devices.clone() }
            }
            Some(_) => {
                attached.memberships.remove(conversation);
                let (emptied, under_way) =
                    self.remove_from_room(conversation, |device| device.user == *user);
                Unsubscribed::Done { emptied, devices: attached.devices.clone(), under_way }
            }
            None => Unsubscribed::Unknown,
        }
    }

    fn add_to_room(
        &self,
        conversation: ConversationId,
        device: &Arc<Device>,
        announce: impl Fn(&Device) -> Option<Item>,
    ) {
        self.rooms.lock(&conversation).entry(conversation).or_default().add(device, announce);
    }

    fn remove_from_room(
        &self,
        conversation: ConversationId,
        gone: impl Fn(&Device) -> bool,
    ) -> (bool, UnderWay) {
        let mut rooms = self.rooms.lock(&conversation);
        let Some(room) = rooms.get(&conversation) else { return (false, UnderWay::default()) };
        let (emptied, under_way) = room.remove(gone);
        if emptied {
            rooms.remove(&conversation);
        }
        (emptied, under_way)
    }

    /// Offers a delivery to every device that is told of a conversation when this begins, but not to
    /// those of `except`. Nobody waits for it to end: a device that leaves meanwhile may get it still,
    /// until what [`Hub::unsubscribe`] says is under way is over.
    pub(crate) fn fan_out(
        &self,
        conversation: ConversationId,
        delivery: &Delivery,
        except: Option<&UserId>,
    ) {
        let room = self.rooms.lock(&conversation).get(&conversation).cloned();
        let Some(room) = room else { return };
        Device::deliver_to_all(&room.devices(), &Batch::new(delivery), |device| {
            except != Some(&device.user)
        });
    }

    /// Offers a delivery to these devices.
    pub(crate) fn deliver_to_devices(devices: &[Arc<Device>], delivery: &Delivery) {
        Device::deliver_to_all(devices, &Batch::new(delivery), |_| true);
    }

    /// Offers a delivery to every device of these users.
    pub(crate) fn deliver_to_users(&self, users: &[UserId], delivery: &Delivery) {
        let batch = Batch::new(delivery);
        for user in users {
            self.devices(user).iter().for_each(|device| device.deliver(&batch));
        }
    }

    /// Offers a delivery to every device here, and returns them all.
    pub(crate) fn deliver_to_all(&self, delivery: &Delivery) -> Vec<Arc<Device>> {
        let mut devices = Vec::new();
        self.for_each_device(|device| devices.push(Arc::clone(device)));
        Device::deliver_to_all(&devices, &Batch::new(delivery), |_| true);
        devices
    }

    /// Visits every device here.
    pub(crate) fn for_each_device(&self, mut visit: impl FnMut(&Arc<Device>)) {
        self.users.for_each_shard(|users| {
            for device in users.values().flat_map(|user| &user.devices) {
                visit(device);
            }
        });
    }

    /// The user's devices here that were attached by one of these logins.
    pub(crate) fn devices_of_logins(
        &self,
        user: &UserId,
        logins: &[LoginSessionId],
    ) -> Vec<Arc<Device>> {
        let mut devices = self.devices(user);
        devices.retain(|device| device.login.is_some_and(|login| logins.contains(&login)));
        devices
    }

    /// The logins behind the devices here.
    pub(crate) fn logins(&self) -> Vec<(UserId, LoginSessionId)> {
        let mut logins = Vec::new();
        self.for_each_device(|device| {
            logins.extend(device.login.map(|login| (device.user.clone(), login)));
        });
        logins
    }

    fn devices(&self, user: &UserId) -> Vec<Arc<Device>> {
        self.users.lock(user).get(user).map(|user| user.devices.clone()).unwrap_or_default()
    }

    /// How many devices the user has here.
    pub(crate) fn device_count(&self, user: &UserId) -> u32 {
        let users = self.users.lock(user);
        let count = users.get(user).map_or(0, |user| user.devices.len());
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Whether the user has a device here.
    pub(crate) fn is_attached(&self, user: &UserId) -> bool {
        self.users.lock(user).contains_key(user)
    }

    /// Does something while it is certain that the user has no device here, if that is so.
    pub(crate) fn while_absent(&self, user: &UserId, act: impl FnOnce()) {
        let users = self.users.lock(user);
        if !users.contains_key(user) {
            act();
        }
    }

    /// The conversations that the user's devices here are told of, with the change by which the
    /// user joined each.
    pub(crate) fn subscriptions(&self, user: &UserId) -> Vec<(ConversationId, u64)> {
        let users = self.users.lock(user);
        users.get(user).map(|user| user.memberships.iter().collect()).unwrap_or_default()
    }

    /// Those of these conversations, in their order, that the user's devices here are told of.
    pub(crate) fn subscribed<T: Copy>(
        &self,
        user: &UserId,
        among: &[(ConversationId, T)],
    ) -> Vec<(ConversationId, T)> {
        let users = self.users.lock(user);
        let Some(user) = users.get(user) else { return Vec::new() };
        among.iter().copied().filter(|(id, _)| user.memberships.contains(*id)).collect()
    }

    /// Whether the user's devices here are told of the conversation.
    pub(crate) fn is_subscribed(&self, user: &UserId, conversation: ConversationId) -> bool {
        let users = self.users.lock(user);
        users.get(user).is_some_and(|user| user.memberships.contains(conversation))
    }

    /// Up to `limit` users with devices here, but not `user`, who are told of one of these
    /// conversations, leaving out those of which more than `most` users here are told.
    pub(crate) fn companions(
        &self,
        user: &UserId,
        conversations: &[ConversationId],
        most: usize,
        limit: usize,
    ) -> Vec<UserId> {
        let mut companions: HashSet<UserId> = HashSet::default();
        for conversation in conversations {
            let room = self.rooms.lock(conversation).get(conversation).cloned();
            let Some(room) = room else { continue };
            let devices = room.devices();
            let here: HashSet<&UserId> = devices.iter().map(|device| &device.user).collect();
            if here.len() <= most {
                let room_left = limit - companions.len();
                let others = here.into_iter().filter(|other| *other != user);
                let new = others.filter(|other| !companions.contains(*other)).cloned();
                let new: Vec<_> = new.take(room_left).collect();
                companions.extend(new);
            }
        }
        companions.into_iter().collect()
    }

    /// Whether any device here is told of the conversation.
    pub(crate) fn has_room(&self, conversation: ConversationId) -> bool {
        self.rooms.lock(&conversation).contains_key(&conversation)
    }

    /// The users with devices here.
    pub(crate) fn users(&self) -> Vec<UserId> {
        self.users.keys()
    }
}
