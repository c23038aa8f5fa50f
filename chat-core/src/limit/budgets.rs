use std::num::NonZeroU32;
use std::time::Duration;

use chat_proto::{Class, Limits, UserId};
use tokio::time::Instant;

use super::{Quota, RateLimiter};

/// What each user may do over time, beside sending and making conversations: a budget for each
/// [`Class`] of operations, counted by this node alone.
///
/// Nodes need not share it: it keeps one user from using up a node, and each node has its own.
#[derive(Debug)]
pub(crate) struct Budgets {
    memberships: RateLimiter<UserId>,
    reads: RateLimiter<UserId>,
    signals: RateLimiter<UserId>,
    resumes: RateLimiter<UserId>,
    connects: RateLimiter<UserId>,
}

impl Budgets {
    /// The budgets that these limits publish. Zero means no limit.
    pub(crate) fn new(limits: &Limits) -> Self {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let table = |events, period, burst| {
            let quota = NonZeroU32::new(events).map(|events| Quota::new(events, period, burst));
            RateLimiter::new(quota)
        };
        let by_minute = |events| table(events, minute, events);
        Self {
            memberships: by_minute(limits.membership_changes_per_minute),
            reads: table(limits.reads_per_second, second, limits.read_burst),
            signals: table(limits.signals_per_second, second, limits.signal_burst),
            resumes: by_minute(limits.resume_conversations_per_minute),
            connects: by_minute(limits.connects_per_minute),
        }
    }

    /// Takes `cost` from a user's budget for a class, or nothing.
    ///
    /// # Errors
    ///
    /// How long the user has to wait until there is so much.
    pub(crate) fn take(&self, user: &UserId, class: Class, cost: u32) -> Result<(), Duration> {
        let budget = match class {
            // Sends are counted by all nodes together, and so are conversations that are made.
            Class::Free | Class::Send => return Ok(()),
            Class::Open | Class::Read => &self.reads,
            Class::Membership => &self.memberships,
            Class::Signal => &self.signals,
            Class::Resume => &self.resumes,
            Class::Connect => &self.connects,
        };
        budget.check_cost(user, cost, Instant::now())
    }
}
