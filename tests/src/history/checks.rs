use std::time::Duration;

use super::{Record, Truth, Violation, acknowledgements, deliveries, presence, stored};

/// What is to be looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Checks {
    /// Whether everything was waited for, so that every client must know everything by now.
    pub settled: bool,
    /// Whether nothing may come of a conversation once a leave was answered, not even what happened
    /// before and comes late.
    pub leaving_ends_all: bool,
    /// What must hold of presence, if anything.
    pub presence: Option<PresenceRules>,
}

/// What must hold of presence.
#[derive(Debug, Clone, Copy)]
pub struct PresenceRules {
    /// How long a user without a session may be shown as online at most: a lease, a grace time, and
    /// what a slow machine adds.
    pub ghosts_after: Duration,
    /// How long a user may be without a session and must not be shown as offline; none where users
    /// may be thought to be offline, such as those of a node that stands still.
    pub grace: Option<Duration>,
}

impl Record {
    /// Everything that must not have happened, the simplest first.
    #[must_use]
    pub fn violations(&self, truth: &Truth, checks: Checks) -> Vec<Violation> {
        let mut found = stored::check(self, truth);
        found.extend(acknowledgements::check(self, truth));
        found.extend(deliveries::check(self, truth, checks));
        if let Some(rules) = checks.presence {
            found.extend(presence::check(self, truth, rules));
        }
        found
    }
}
