//! What a device has been told by other means than live events.

use std::time::Duration;

use chat_proto::ConversationId;
use tokio::time::Instant;

use super::changes::Changes;

/// How long a floor is kept that no live event has passed. Live events trail what a store shows by
/// moments; after this time none is on its way that a floor would have to stop.
const LIFETIME: Duration = Duration::from_secs(60);

/// For conversations that were told as a state or replayed: up to which change.
///
/// Live events up to there are let go, so that the device is told each change once. Soon there is
/// nothing to note any more, and then it is a null pointer: every delivery looks at it.
#[derive(Debug, Default)]
pub(crate) struct Floors(Option<Box<Raised>>);

#[derive(Debug)]
struct Raised {
    floors: Changes,
    /// When this was last.
    at: Instant,
}

impl Floors {
    /// Notes that the device knows a conversation up to a change.
    pub(crate) fn raise(&mut self, conversation: ConversationId, change: u64) {
        self.raised().raise(conversation, change);
    }

    /// Sets the floor of a conversation that is replayed from an earlier change on.
    pub(crate) fn replace(&mut self, conversation: ConversationId, change: u64) {
        self.raised().replace(conversation, change);
    }

    /// Lets no change of a conversation pass any more, until it appears anew.
    pub(crate) fn bar(&mut self, conversation: ConversationId) {
        self.replace(conversation, u64::MAX);
    }

    /// Whether no change of a conversation passes.
    pub(crate) fn is_barred(&self, conversation: ConversationId) -> bool {
        self.floor(conversation) == Some(u64::MAX)
    }

    /// Whether a live change is news.
    pub(crate) fn lets_pass(
        &mut self,
        conversation: ConversationId,
        change: u64,
        now: Instant,
    ) -> bool {
        let Some(raised) = &mut self.0 else { return true };
        if now > raised.at + LIFETIME {
            self.0 = None;
            return true;
        }
        match raised.floors.get(conversation) {
            Some(floor) if change <= floor => false,
            Some(_) => {
                // Live changes come in order: from here on all are news.
                raised.floors.remove(conversation);
                if raised.floors.is_empty() {
                    self.0 = None;
                }
                true
            }
            None => true,
        }
    }

    /// Whether the changes after `since` of a conversation that appears have yet to be told.
    pub(crate) fn needs(&self, conversation: ConversationId, since: u64) -> bool {
        match self.floor(conversation) {
            Some(u64::MAX) | None => true,
            Some(floor) => floor <= since,
        }
    }

    fn floor(&self, conversation: ConversationId) -> Option<u64> {
        self.0.as_ref()?.floors.get(conversation)
    }

    /// The floors, of which one is about to be raised.
    fn raised(&mut self) -> &mut Changes {
        let at = Instant::now();
        let raised =
            self.0.get_or_insert_with(|| Box::new(Raised { floors: Changes::default(), at }));
        raised.at = at;
        &mut raised.floors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once() {
        let mut floors = Floors::default();
        let (a, b) = (ConversationId::generate(), ConversationId::generate());
        let now = Instant::now();
        floors.raise(a, 5);
        assert!(!floors.lets_pass(a, 5, now));
        assert!(floors.lets_pass(b, 5, now));
        assert!(floors.lets_pass(a, 6, now));
    }

    #[test]
    fn a_conversation_told_in_the_greeting_need_not_appear() {
        let mut floors = Floors::default();
        let a = ConversationId::generate();
        assert!(floors.needs(a, 0));
        floors.raise(a, 3);
        assert!(!floors.needs(a, 2));
        assert!(floors.needs(a, 3), "joined again since");
    }

    #[test]
    fn a_barred_conversation_is_silent_until_it_appears() {
        let mut floors = Floors::default();
        let a = ConversationId::generate();
        floors.bar(a);
        assert!(!floors.lets_pass(a, 9, Instant::now()));
        assert!(floors.needs(a, 9));
        floors.replace(a, 10);
        assert!(floors.lets_pass(a, 11, Instant::now()));
    }

    #[test]
    fn only_what_lets_no_change_pass_is_barred() {
        let mut floors = Floors::default();
        let (a, b) = (ConversationId::generate(), ConversationId::generate());
        assert!(!floors.is_barred(a));
        floors.bar(a);
        floors.raise(b, 5);
        assert!(floors.is_barred(a));
        assert!(!floors.is_barred(b), "later changes pass");
        floors.replace(a, 5);
        assert!(!floors.is_barred(a));
    }

    #[tokio::test(start_paused = true)]
    async fn floors_are_kept_for_their_lifetime_from_when_the_last_was_raised() {
        let mut floors = Floors::default();
        let (a, b) = (ConversationId::generate(), ConversationId::generate());
        floors.raise(a, 5);
        tokio::time::advance(Duration::from_secs(59)).await;
        floors.raise(b, 5);
        let raised = Instant::now();
        assert!(!floors.lets_pass(a, 5, raised + LIFETIME));
        assert!(!floors.lets_pass(b, 5, raised + LIFETIME));
        let later = raised + LIFETIME + Duration::from_millis(1);
        assert!(floors.lets_pass(a, 5, later));
        assert!(floors.0.is_none(), "nothing is kept");
    }

    #[test]
    fn nothing_is_kept_once_the_last_floor_is_passed() {
        let mut floors = Floors::default();
        let (a, b) = (ConversationId::generate(), ConversationId::generate());
        let now = Instant::now();
        floors.raise(a, 5);
        floors.raise(b, 5);
        assert!(floors.lets_pass(a, 6, now));
        assert!(floors.0.is_some());
        assert!(!floors.lets_pass(b, 5, now), "the other floor stands");
        assert!(floors.lets_pass(b, 6, now));
        assert!(floors.0.is_none());
    }
}
