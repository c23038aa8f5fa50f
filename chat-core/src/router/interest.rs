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
    /// Subjects that the broker has said it took.
    heard: HashSet<Subject>,
    /// Subjects of which it has not, each with the last request for it: one that is under way, that
    /// failed, or for whose answer nobody waits any more.
    asked: HashMap<Subject, Request>,
    /// Subjects that nobody wants, and until when they are heard all the same.
    leaving: HashMap<Subject, Instant>,
    /// The last request.
    last: Request,
}

/// One request to hear a subject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Request(u64);

impl Interest {
    /// Notes that a subject is wanted. Returns the request to make of the broker; none if the subject
    /// is heard already, perhaps because it was only about to be let go of.
    pub(super) fn begin(&self, subject: &Subject) -> Option<Request> {
        let mut state = lock(&self.state);
        state.leaving.remove(subject);
        if state.heard.contains(subject) {
            return None;
        }
        state.last.0 += 1;
        let request = state.last;
        state.asked.insert(subject.clone(), request);
        Some(request)
    }

    /// Notes that the broker did as requested. That says nothing once the subject was ended, or asked
    /// for again, since.
    pub(super) fn note_heard(&self, subject: Subject, request: Request) {
        let mut state = lock(&self.state);
        if state.asked.get(&subject) == Some(&request) {
            state.asked.remove(&subject);
            state.heard.insert(subject);
        }
    }

    /// The subjects of which the broker has not said that it took them.
    pub(super) fn unheard(&self) -> Vec<Subject> {
        lock(&self.state).asked.keys().cloned().collect()
    }

    /// Whether there are such.
    pub(super) fn has_unheard(&self) -> bool {
        !lock(&self.state).asked.is_empty()
    }

    /// Notes that nobody here wants a subject any more.
    pub(super) fn let_go(&self, subject: Subject, now: Instant) {
        let mut state = lock(&self.state);
        if state.heard.contains(&subject) {
            state.leaving.insert(subject, now + LINGER);
        } else if state.asked.contains_key(&subject) {
            // Perhaps heard, perhaps not: nothing is gained by waiting.
            state.leaving.insert(subject, now);
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
            state.heard.remove(&subject);
            state.asked.remove(&subject);
            end(subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use chat_proto::UserId;

    use super::*;

    #[test]
    fn only_what_the_broker_took_is_heard() {
        let (interest, now) = (Interest::default(), Instant::now());
        let subject = Subject::User(UserId::generate());
        // Nobody waited for the answer to the first, and the second failed.
        for _ in 0..2 {
            interest.begin(&subject).unwrap();
            interest.let_go(subject.clone(), now);
            assert_eq!(interest.unheard(), std::slice::from_ref(&subject));
        }
        let request = interest.begin(&subject).unwrap();
        interest.note_heard(subject.clone(), request);
        assert!(!interest.has_unheard());
        assert_eq!(interest.begin(&subject), None);
        interest.let_go(subject.clone(), now);
        assert_eq!(interest.due(now), []);
        assert_eq!(interest.begin(&subject), None);
    }

    #[test]
    fn an_answer_from_before_the_end_says_nothing() {
        let (interest, now) = (Interest::default(), Instant::now());
        let subject = Subject::User(UserId::generate());
        let late = interest.begin(&subject).unwrap();
        interest.let_go(subject.clone(), now);
        assert_eq!(interest.due(now), std::slice::from_ref(&subject));
        let mut ended = 0;
        interest.end(subject.clone(), |_| ended += 1);
        interest.note_heard(subject.clone(), late);
        let again = interest.begin(&subject).unwrap();
        interest.note_heard(subject.clone(), late);
        assert!(interest.has_unheard());
        interest.note_heard(subject.clone(), again);
        interest.end(subject.clone(), |_| ended += 1);
        assert_eq!((ended, interest.begin(&subject)), (1, None));
    }
}
