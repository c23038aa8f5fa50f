use std::sync::Mutex;
use std::time::Duration;

use foldhash::{HashMap, HashSet};
use tokio::time::Instant;

use crate::broker::Subject;
use crate::sharded::lock;

/// How long a subject is still heard after its last device has gone: who reloads a page is back
/// before that, and the broker has nothing to do.
const LINGER: Duration = Duration::from_secs(1);

/// Which subjects the broker has yet to be asked for, and which it may soon forget.
#[derive(Debug, Default)]
pub(super) struct Interest {
    /// Held for a few lines, and while an end is put in line: so a subject that is asked for again is
    /// asked for behind it.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Subjects for which the broker has yet to be asked again.
    unheard: HashSet<Subject>,
    /// Subjects that nobody wants, and until when they are heard all the same.
    leaving: HashMap<Subject, Instant>,
}

impl Interest {
    /// Notes that a subject is wanted. True if it is heard already, because it was about to be let go
    /// of.
    pub(super) fn resume(&self, subject: &Subject) -> bool {
        lock(&self.state).leaving.remove(subject).is_some()
    }

    /// Notes that the broker did not take a subscription.
    pub(super) fn note_unheard(&self, subject: Subject) {
        lock(&self.state).unheard.insert(subject);
    }

    /// Takes the subjects that the broker is to be asked for again.
    pub(super) fn take_unheard(&self) -> HashSet<Subject> {
        std::mem::take(&mut lock(&self.state).unheard)
    }

    /// Notes that nobody here wants a subject any more.
    pub(super) fn let_go(&self, subject: Subject, now: Instant) {
        let mut state = lock(&self.state);
        if state.unheard.remove(&subject) {
            // Perhaps heard, perhaps not: it is ended without delay, and not taken for heard.
            state.leaving.remove(&subject);
            state.leaving.insert(subject, now);
        } else {
            state.leaving.insert(subject, now + LINGER);
        }
    }

    /// The subjects whose time is over.
    pub(super) fn due(&self, now: Instant) -> Vec<Subject> {
        let state = lock(&self.state);
        let due = state.leaving.iter().filter(|(_, until)| **until <= now);
        due.map(|(subject, _)| subject.clone()).collect()
    }

    /// Ends a subject by `end`, which only puts the end in line, unless it was asked for again.
    pub(super) fn end(&self, subject: Subject, end: impl FnOnce(Subject)) {
        let mut state = lock(&self.state);
        if state.leaving.remove(&subject).is_some() {
            end(subject);
        }
    }
}
