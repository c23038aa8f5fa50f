use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use chat_proto::{LoginSessionId, UserId};
use foldhash::HashMap;
use tokio::time::Instant;

use crate::sharded::lock;

/// How long an attach may take after its credential was checked.
const MEMORY: Duration = Duration::from_secs(60);
/// Logins remembered at once, and logins yet to be looked at. What is beyond that is found by the
/// look at the logins of all devices, which comes at intervals.
const MAX_LOGINS: usize = 10_000;

/// Logins that ended a short while ago, and logins of which nobody has looked yet whether they have.
///
/// A device whose login was checked just before it ended, and which attaches just after, is not
/// among the devices that are told of the end; it finds its login here.
#[derive(Debug, Default)]
pub(crate) struct EndedLogins {
    /// When each ended. Held for a few lines.
    logins: Mutex<HashMap<LoginSessionId, Instant>>,
    /// Logins of devices that have attached since somebody looked. Held for a few lines.
    fresh: Mutex<VecDeque<(Instant, UserId, LoginSessionId)>>,
}

impl EndedLogins {
    pub(crate) fn note(&self, ended: &[LoginSessionId]) {
        let now = Instant::now();
        let mut logins = lock(&self.logins);
        if logins.len() + ended.len() > MAX_LOGINS {
            logins.retain(|_, at| now < *at + MEMORY);
        }
        let room = MAX_LOGINS.saturating_sub(logins.len());
        logins.extend(ended.iter().take(room).map(|login| (*login, now)));
    }

    /// Notes a login of a device that attaches. Beyond the bound it waits for the look at all.
    pub(crate) fn note_fresh(&self, user: &UserId, login: LoginSessionId) {
        let mut fresh = lock(&self.fresh);
        if fresh.len() < MAX_LOGINS {
            fresh.push_back((Instant::now(), user.clone(), login));
        }
    }

    /// Takes the logins noted so at `until` or before.
    pub(crate) fn take_fresh(&self, until: Instant) -> Vec<(UserId, LoginSessionId)> {
        let mut fresh = lock(&self.fresh);
        let count = fresh.partition_point(|(noted, ..)| *noted <= until);
        fresh.drain(..count).map(|(_, user, login)| (user, login)).collect()
    }

    pub(crate) fn contains(&self, login: LoginSessionId) -> bool {
        lock(&self.logins).get(&login).is_some_and(|at| Instant::now() < *at + MEMORY)
    }
}
