use std::sync::Mutex;
use std::time::Duration;

use chat_proto::LoginSessionId;
use foldhash::HashMap;
use tokio::time::Instant;

use crate::sharded::lock;

/// How long an attach may take after its credential was checked.
const MEMORY: Duration = Duration::from_secs(60);
/// Logins remembered, from which on those that ended longest ago are forgotten.
const MAX_LOGINS: usize = 10_000;

/// Logins that ended a short while ago.
///
/// A device whose login was checked just before it ended, and which attaches just after, is not
/// among the devices that are told of the end; it finds its login here.
#[derive(Debug, Default)]
pub(crate) struct EndedLogins {
    /// When each ended. Held for a few lines.
    logins: Mutex<HashMap<LoginSessionId, Instant>>,
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

    pub(crate) fn contains(&self, login: LoginSessionId) -> bool {
        lock(&self.logins).get(&login).is_some_and(|at| Instant::now() < *at + MEMORY)
    }
}
