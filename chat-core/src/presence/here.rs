//! What this node has recorded of its users: a table with moments passed in.

use std::time::Duration;

use chat_proto::{ConversationId, PresenceStatus, UserId};
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use jiff::Timestamp;
use tokio::time::Instant;

use super::grace::Grace;
use super::store::{Entered, Lease};

/// How long after a failed call of the presence store the next try is.
const RETRY: Duration = Duration::from_secs(1);

/// Who is recorded as being here, and who is about to be gone.
#[derive(Debug)]
pub(super) struct Here {
    /// Users who are recorded, or about to be.
    entered: HashMap<UserId, Entry>,
    /// Users whose number of devices is not what is recorded.
    uncounted: HashSet<UserId>,
    /// Users who have come here, of whom the store is yet to know it: so that it can say when they were
    /// last seen if this node dies.
    arrived: HashSet<UserId>,
    /// Users who could not be recorded, to be tried again.
    unrecorded: HashSet<UserId>,
    /// When.
    retry: Instant,
    pub(super) grace: Grace,
    /// Users of whom not everybody could be told while the store was away, with when each was last
    /// seen, if that is still to be recorded.
    pub(super) owed: HashMap<UserId, Option<Timestamp>>,
    /// When the lease was last renewed for certain.
    renewed: Option<Instant>,
    /// Until when nobody is declared gone: the presence store was away, so that leases may have run
    /// out whose nodes live.
    unsettled: Option<Instant>,
    /// Whether the presence store did not answer lately. The next renewal of the lease finds out when it
    /// does again; until then nobody else waits for it.
    away: bool,
    /// Whether other nodes have been left to say who is gone.
    handed_over: bool,
    /// Users of nodes whose lease has run out, of whom nobody has been told yet.
    pub(super) expired: Vec<UserId>,
}

#[derive(Debug, Default)]
struct Entry {
    /// How many devices are recorded; none while that is not certain.
    devices: Option<u32>,
    /// How the user chose to be shown, as far as this node knows.
    chosen: Option<PresenceStatus>,
    /// Whether the store may no longer know that.
    unsure: bool,
    /// Whether the store was asked to record the user and nobody has its answer: whether the user
    /// came online by that.
    unanswered: bool,
    /// Whether the store was asked to let the user, who was seen, go, and nobody has its answer.
    going: bool,
}

/// What is to be told of a user who was recorded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The user came online.
    CameOnline,
    /// The store may have forgotten how the user, who is online by another node, is to be shown.
    ShownAs(PresenceStatus),
    /// The user may have come online.
    Unknown,
    Nothing,
}

impl Here {
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            entered: HashMap::new(),
            uncounted: HashSet::new(),
            arrived: HashSet::new(),
            unrecorded: HashSet::new(),
            retry: Instant::now(),
            grace: Grace::new(grace),
            owed: HashMap::new(),
            renewed: None,
            unsettled: None,
            away: false,
            handed_over: false,
            expired: Vec::new(),
        }
    }

    /// Whether a user is recorded, or may be.
    pub(super) fn is_entered(&self, user: &UserId) -> bool {
        self.entered.contains_key(user)
    }

    /// Prepares to record that a user has so many devices here; none is one who may come back. False
    /// if that is recorded already.
    ///
    /// Noted before the store is asked: should the answer be lost, the user still leaves.
    pub(super) fn begin_recording(&mut self, user: &UserId, devices: u32) -> bool {
        if devices > 0 {
            self.grace.cancel(user);
        }
        self.uncounted.remove(user);
        if self.handed_over || (devices == 0 && !self.is_entered(user)) {
            return false;
        }
        let entry = self.entered.entry(user.clone()).or_default();
        if entry.devices == Some(devices) && !self.unrecorded.contains(user) {
            return false;
        }
        // Certain when the store has answered, should anybody still wait for it.
        entry.devices = None;
        true
    }

    /// Notes that the store is asked. Returns whether an earlier answer is missing.
    pub(super) fn note_asked(&mut self, user: &UserId) -> bool {
        let entry = self.entered.entry(user.clone()).or_default();
        std::mem::replace(&mut entry.unanswered, true)
    }

    /// Notes what came of it, for a user with so many devices who is to be shown so. Returns what is to be told; `missed`
    /// says that the answer to an earlier try is missing.
    pub(super) fn note_entered(
        &mut self,
        user: &UserId,
        devices: u32,
        shown: PresenceStatus,
        entered: &Entered,
        missed: bool,
        now: Instant,
    ) -> News {
        self.unrecorded.remove(user);
        self.away = false;
        if self.renewed.is_some() && entered.lease == Lease::Begun {
            self.note_lost(Some(user), now);
        }
        self.renewed.get_or_insert(now);
        let Some(entry) = self.entered.get_mut(user) else { return News::Nothing };
        let is_new = entry.chosen.is_none();
        entry.devices = Some(devices);
        entry.chosen = Some(shown);
        (entry.unanswered, entry.going) = (false, false);
        let unsure = std::mem::take(&mut entry.unsure);
        if is_new || unsure {
            self.arrived.insert(user.clone());
        }
        match entered.came_online {
            true => News::CameOnline,
            false if unsure && shown != PresenceStatus::Online => News::ShownAs(shown),
            false if missed => News::Unknown,
            false => News::Nothing,
        }
    }

    /// Notes that the store could not be told how a user chose to be shown.
    pub(super) fn note_unset(&mut self, user: &UserId, away: bool, now: Instant) {
        if let Some(entry) = self.entered.get_mut(user) {
            entry.unsure = true;
        }
        self.note_unrecorded(user, away, now);
    }

    /// Notes that the answer is missing to whether a user, who was seen or not, is gone.
    pub(super) fn note_going(&mut self, user: &UserId, seen: bool) {
        if let Some(entry) = self.entered.get_mut(user) {
            entry.going |= seen;
        }
    }

    /// Whether such an answer is missing.
    pub(super) fn is_going(&self, user: &UserId) -> bool {
        self.entered.get(user).is_some_and(|entry| entry.going)
    }

    /// Notes that a user could not be recorded, and whether that is because nobody answers.
    pub(super) fn note_unrecorded(&mut self, user: &UserId, away: bool, now: Instant) {
        self.unrecorded.insert(user.clone());
        self.away |= away;
        self.retry = now + RETRY;
    }

    pub(super) fn is_away(&self) -> bool {
        self.away
    }

    pub(super) fn note_left(&mut self, user: &UserId) {
        self.entered.remove(user);
        self.unrecorded.remove(user);
        self.uncounted.remove(user);
        self.arrived.remove(user);
    }

    /// Notes that the number of a user's devices may have changed.
    pub(super) fn recount(&mut self, user: &UserId) {
        if self.entered.contains_key(user) {
            self.uncounted.insert(user.clone());
        }
    }

    /// Notes how a user chose to be shown, for as long as the user is here.
    pub(super) fn choose(&mut self, user: &UserId, status: PresenceStatus) {
        if let Some(entry) = self.entered.get_mut(user) {
            entry.chosen = Some(status);
            entry.unsure = false;
            self.arrived.insert(user.clone());
        }
    }

    /// How a user who is recorded chose to be shown, where the store need not be asked.
    pub(super) fn chosen(&self, user: &UserId) -> Option<PresenceStatus> {
        let entry = self.entered.get(user)?;
        entry.chosen.filter(|_| !entry.unsure)
    }

    /// The same, though it may have changed on another node.
    pub(super) fn last_chosen(&self, user: &UserId) -> Option<PresenceStatus> {
        self.entered.get(user)?.chosen
    }

    /// Notes that the store is to know that these users are here.
    pub(super) fn note_arrived(&mut self, users: impl IntoIterator<Item = UserId>) {
        let here = users.into_iter().filter(|user| self.entered.contains_key(user));
        self.arrived.extend(here);
    }

    /// Takes up to `limit` users of whom the store does not know yet that they are here, and who are
    /// seen to be.
    pub(super) fn take_arrived(&mut self, limit: usize) -> Vec<UserId> {
        let taken: Vec<_> = self.arrived.iter().take(limit).cloned().collect();
        let is_seen = |user: &UserId| {
            let chosen = self.entered.get(user).and_then(|entry| entry.chosen);
            chosen.is_some_and(|chosen| chosen.as_shown() != PresenceStatus::Offline)
        };
        let seen = taken.iter().filter(|user| is_seen(user)).cloned().collect();
        for user in &taken {
            self.arrived.remove(user);
        }
        seen
    }

    /// Whether nobody is recorded here.
    pub(super) fn is_empty(&self) -> bool {
        self.entered.is_empty()
    }

    /// Takes what has become due: users whose grace time is over, and users to be recorded anew.
    ///
    /// While it is not settled who else is online where, nobody's grace time ends: who is on another
    /// node as well would be declared gone.
    pub(super) fn due(
        &mut self,
        now: Instant,
    ) -> (Vec<(UserId, Vec<ConversationId>)>, Vec<UserId>) {
        let mut again: HashSet<_> = self.uncounted.drain().collect();
        if now >= self.retry && !self.away {
            again.extend(self.unrecorded.iter().cloned());
        }
        let gone = if self.is_settled(now) && !self.handed_over {
            self.grace.due(now)
        } else {
            Vec::new()
        };
        (gone, again.into_iter().collect())
    }

    /// Notes that the lease was renewed by a call that began at `asked`, or that it was lost, so that
    /// others may have declared these users gone: then all are recorded anew.
    pub(super) fn note_renewed(
        &mut self,
        held: Lease,
        asked: Instant,
        now: Instant,
        lease: Duration,
    ) {
        if std::mem::take(&mut self.away) {
            self.retry = now;
        }
        // It is certain from when it was asked for, and may have run out until the answer came.
        let before = self.renewed.replace(asked);
        let ran_out = before.is_some_and(|before| now > before + lease);
        if ran_out || (before.is_some() && held == Lease::Begun) {
            self.note_lost(None, now);
        }
        if ran_out || self.unsettled.is_some_and(|until| until > now + lease) {
            self.unsettled = Some(now + lease);
        }
    }

    /// Notes that the lease could not be renewed. Others may have the same trouble, so nobody is
    /// declared gone before each had the time of a lease to renew its own.
    pub(super) fn note_not_renewed(&mut self, now: Instant) {
        self.away = true;
        // Set by the next renewal; until then there is no end to it.
        self.unsettled = Some(now + FAR);
    }

    /// Whether a lease that has run out means that its node is dead.
    pub(super) fn is_settled(&self, now: Instant) -> bool {
        self.unsettled.is_none_or(|until| until <= now)
    }

    /// Leaves it to other nodes to say who is gone: from now on nothing is recorded.
    pub(super) fn hand_over(&mut self) {
        self.handed_over = true;
    }

    pub(super) fn is_handed_over(&self) -> bool {
        self.handed_over
    }

    /// Users that are recorded here, who are let go of.
    pub(super) fn take_all(&mut self) -> Vec<UserId> {
        self.entered.drain().map(|(user, _)| user).collect()
    }

    /// Notes that nothing of what is recorded is certain any more, except of one user.
    fn note_lost(&mut self, except: Option<&UserId>, now: Instant) {
        for (user, entry) in &mut self.entered {
            entry.unsure = true;
            if Some(user) != except {
                self.unrecorded.insert(user.clone());
            }
        }
        self.retry = now;
    }
}

/// Longer than anything is away.
const FAR: Duration = Duration::from_secs(365 * 86_400);
