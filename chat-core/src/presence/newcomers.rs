//! Those who join a conversation are shown to its members: all who join in one moment together.
//!
//! There is no timer. While one group is being shown the next gathers, as messages do for the
//! [`Appender`](crate::appender::Appender). Whoever was a member before is told of the joining by a
//! change; this says who of the newcomers is online.

use std::collections::HashMap;
use std::sync::Mutex;

use chat_proto::{ConversationId, UserId};

use super::Presence;
use super::view::shown;
use crate::broker::Subject;
use crate::config::PresenceScope;
use crate::router::RouterNotice;
use crate::sharded::lock;
use crate::within::within;

/// The most newcomers of one conversation that are shown at once.
const GROUP: usize = 256;
/// The most newcomers that wait; a further one is seen to be online at the next change.
const QUEUE: usize = 16_384;

/// Newcomers who wait to be shown.
#[derive(Debug, Default)]
pub(super) struct Newcomers {
    waiting: HashMap<ConversationId, Vec<UserId>>,
    count: usize,
    /// Whether a task is showing some.
    showing: bool,
}

/// A task that shows newcomers. Should it break off, the next newcomer starts another.
struct Showing<'a> {
    newcomers: &'a Mutex<Newcomers>,
    is_done: bool,
}

impl Drop for Showing<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            lock(self.newcomers).showing = false;
        }
    }
}

impl Presence {
    /// Notes that a user has joined a conversation, which has so many members now. Returns whether the
    /// caller must run [`introduce_newcomers`](Self::introduce_newcomers).
    pub(crate) fn note_newcomer(
        &self,
        conversation: ConversationId,
        user: &UserId,
        members: u64,
    ) -> bool {
        let is_small = members <= self.config.limits.presence_members as u64;
        if self.config.presence_scope == PresenceScope::Everyone || !is_small {
            return false;
        }
        let newcomers = &mut *lock(&self.newcomers);
        if newcomers.count >= QUEUE {
            return false;
        }
        newcomers.count += 1;
        newcomers.waiting.entry(conversation).or_default().push(user.clone());
        !std::mem::replace(&mut newcomers.showing, true)
    }

    /// Shows newcomers for as long as there are any.
    pub(crate) async fn introduce_newcomers(&self) {
        let mut showing = Showing { newcomers: &self.newcomers, is_done: false };
        loop {
            // Lets those who joined in the same moment come along.
            tokio::task::yield_now().await;
            let waiting = {
                let newcomers = &mut *lock(&self.newcomers);
                newcomers.count = 0;
                newcomers.showing = !newcomers.waiting.is_empty();
                std::mem::take(&mut newcomers.waiting)
            };
            if waiting.is_empty() {
                showing.is_done = true;
                return;
            }
            for (conversation, users) in waiting {
                for group in users.chunks(GROUP) {
                    self.show_group(conversation, group).await;
                }
            }
        }
    }

    async fn show_group(&self, conversation: ConversationId, users: &[UserId]) {
        if lock(&self.here).is_away() {
            return;
        }
        // Who is online is worth less than the joining, which is told in any case.
        let version = self.router.next_version();
        let statuses = within(self.config.call_timeout(), self.store.statuses(users)).await;
        let entries = shown(statuses.unwrap_or_default(), version);
        if entries.is_empty() {
            return;
        }
        let notice = RouterNotice::Newcomers { conversation, entries: entries.clone() };
        self.router.broadcast(Subject::Conversation(conversation), &notice);
        self.router.show_newcomers(conversation, entries);
    }
}
