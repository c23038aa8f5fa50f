//! What this node hears from the others, and for how long.

use std::sync::Arc;

use chat_proto::{ConversationId, UserId};
use futures::StreamExt;
use tokio::time::Instant;

use super::lane::Lane;
use super::{CONCURRENT_SUBSCRIPTIONS, Router};
use crate::broker::Subject;

impl Router {
    /// Begins to hear what other nodes tell of a user.
    pub(crate) async fn hear_user(&self, user: &UserId) {
        self.hear(Subject::User(user.clone())).await;
    }

    /// Begins to hear what other nodes tell of a subject. If the broker does not do its part, or
    /// nobody waits for its answer, it is asked again at the next comparison with the store.
    pub(crate) async fn hear(&self, subject: Subject) {
        if self.broker.is_none() {
            return;
        }
        let Some(request) = self.interest.begin(&subject) else { return };
        if self.outbound.subscribe(subject.clone()).await {
            self.interest.note_heard(subject.clone(), request);
        }
        // Whoever asked may have gone meanwhile.
        if !self.is_wanted(&subject) {
            self.let_go(subject);
        }
    }

    /// Stops hearing what other nodes tell of subjects that nobody here has asked for since they
    /// were let go of, a second or longer ago.
    pub(crate) fn release(&self, now: Instant) {
        for subject in self.interest.due(now) {
            // Whoever is about to ask for it takes it from those that are let go of.
            if !self.is_wanted(&subject) {
                self.interest.end(subject, |subject| self.outbound.unsubscribe(subject));
            }
        }
    }

    /// Whether a device here is to be told of what is told about a subject.
    pub(super) fn is_wanted(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Conversation(id) => self.hub.has_room(*id),
            Subject::User(user) => self.hub.is_attached(user),
            Subject::Presence => true,
        }
    }

    /// Makes sure that these conversations are heard from the broker. Returns the lanes that have
    /// yet to be opened, by what is read from the store after this: then what is read and what
    /// lanes deliver overlap, and no change falls between.
    pub(crate) async fn hear_unopened(
        self: &Arc<Self>,
        conversations: &[ConversationId],
    ) -> Vec<Arc<Lane>> {
        let lanes: Vec<_> = conversations
            .iter()
            .filter(|conversation| self.hub.has_room(**conversation))
            .map(|conversation| self.ensure_lane(*conversation, None))
            .filter(|lane| !lane.is_open())
            .collect();
        if self.broker.is_some() {
            futures::stream::iter(&lanes)
                .for_each_concurrent(CONCURRENT_SUBSCRIPTIONS, |lane| {
                    self.hear(Subject::Conversation(lane.conversation))
                })
                .await;
        }
        lanes
    }

    /// Stops hearing what other nodes tell of a user.
    pub(crate) fn forget_user(&self, user: &UserId) {
        self.hub.while_absent(user, || self.let_go(Subject::User(user.clone())));
    }

    pub(super) fn let_go(&self, subject: Subject) {
        if self.broker.is_some() {
            self.interest.let_go(subject, Instant::now());
        }
    }
}
