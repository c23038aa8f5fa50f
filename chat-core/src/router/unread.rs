//! Telling a user's devices what is left to read.
//!
//! The count is read when it is told, and of one user one count is told at a time on each node. So
//! what a device is told last was read last, and no order of callers or of other nodes' news can put
//! an older count behind a newer one. Other nodes are told only that there is something to count.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_proto::{ConversationId, SignalEvent, UserId};
use foldhash::{HashSet, HashSetExt};

use super::envelope::Notice;
use super::lane::Lane;
use super::{Router, causes};
use crate::broker::Subject;
use crate::error::ChatError;
use crate::hub::Origin;
use crate::limit::{Kind, Turns};
use crate::sharded::lock;

use crate::within::within;

/// When a count is told again that messages on their way to the devices may have crossed: each time
/// while that is so.
const AGAIN: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(250), Duration::from_secs(1)];
/// Counts that wait to be told beside those that a caller waits for. Of further ones nothing is told.
const MAX_WAITING: usize = 10_000;

/// What is under way.
#[derive(Debug)]
pub(super) struct UnreadCounts {
    /// One count of a user at a time.
    turns: Turns,
    /// Counts for which a task waits. Held for a look.
    waiting: Mutex<HashSet<(UserId, ConversationId)>>,
}

impl UnreadCounts {
    pub(super) fn new() -> Self {
        Self { turns: Turns::new(1), waiting: Mutex::new(HashSet::new()) }
    }

    /// Notes that a task will count; false if one will already, or there are too many.
    fn wait(&self, user: &UserId, conversation: ConversationId) -> bool {
        let mut waiting = lock(&self.waiting);
        waiting.len() < MAX_WAITING && waiting.insert((user.clone(), conversation))
    }

    /// Notes that it does. Whoever has something to be counted from now on needs another.
    fn begin(&self, user: &UserId, conversation: ConversationId) {
        lock(&self.waiting).remove(&(user.clone(), conversation));
    }
}

impl Router {
    /// Tells a user's devices, here and on other nodes, what is left to read after a cursor has moved.
    pub(crate) async fn tell_unread(
        self: &Arc<Self>,
        user: &UserId,
        conversation: ConversationId,
        origin: Option<&Origin>,
    ) {
        self.send(Subject::User(user.clone()), origin, || Notice::ReadOn { conversation });
        match self.count_and_tell(user, conversation, origin).await {
            Ok(true) => {}
            Ok(false) => self.tell_unread_soon(user, conversation, None, &AGAIN),
            Err(error) => tracing::debug!(error = %causes(&error), "a count is not told"),
        }
    }

    /// The same on this node, having heard of it from another.
    pub(super) fn hear_of_reading(
        self: &Arc<Self>,
        user: &UserId,
        conversation: ConversationId,
        origin: Option<Origin>,
    ) {
        self.news.read(user, conversation);
        const AT_ONCE: [Duration; 4] = [Duration::ZERO, AGAIN[0], AGAIN[1], AGAIN[2]];
        if self.hub.is_attached(user) {
            self.tell_unread_soon(user, conversation, origin, &AT_ONCE);
        }
    }

    /// Tells after the first of these pauses, and after the others while messages cross the count.
    fn tell_unread_soon(
        self: &Arc<Self>,
        user: &UserId,
        conversation: ConversationId,
        mut origin: Option<Origin>,
        pauses: &'static [Duration],
    ) {
        if !self.unread.wait(user, conversation) {
            return;
        }
        let (router, user) = (Arc::clone(self), user.clone());
        self.tasks.spawn_idle("unread", async move {
            for (n, pause) in pauses.iter().enumerate() {
                if n > 0 && !router.unread.wait(&user, conversation) {
                    // Another task does the rest.
                    return;
                }
                if !pause.is_zero() {
                    tokio::time::sleep(*pause).await;
                }
                router.unread.begin(&user, conversation);
                let told = router.count_and_tell(&user, conversation, origin.take().as_ref()).await;
                if matches!(told, Ok(true)) {
                    return;
                }
            }
        });
    }

    /// Counts and tells this node's devices. Returns whether they were told of exactly the messages
    /// that are counted, before the count: then it holds for a client that goes by nothing else.
    async fn count_and_tell(
        &self,
        user: &UserId,
        conversation: ConversationId,
        origin: Option<&Origin>,
    ) -> Result<bool, ChatError> {
        let timeout = self.config.call_timeout();
        let Ok(_turn) =
            tokio::time::timeout(timeout, self.unread.turns.next(user, Kind::Read)).await
        else {
            return Err(ChatError::Timeout);
        };
        if !self.hub.is_attached(user) {
            return Ok(true);
        }
        let before = self.told_of(user, Lane::delivered);
        let reading = futures::future::try_join(
            self.inbox.summary(user, conversation),
            self.inbox.unread_total(user),
        );
        let (summary, total) = within(timeout, reading).await?;
        let Some(summary) = summary else { return Ok(true) };
        let event = SignalEvent::UnreadChanged {
            conversation_id: conversation,
            read_seq: summary.read_seq,
            through_seq: summary.last_seq,
            unread: summary.unread,
            unread_mentions: summary.unread_mentions,
            total_unread: total.unread,
            total_through: total.through,
        };
        self.show_user(user, &event, origin);
        let after = self.told_of(user, Lane::passed);
        Ok(before == Some(total.through) && after == Some(total.through))
    }

    /// How far this node's devices were told of a user's conversations: the sum of their last
    /// changes; none while that is not known of each.
    fn told_of(&self, user: &UserId, of_lane: impl Fn(&Lane) -> Option<u64>) -> Option<u64> {
        let conversations = self.hub.subscriptions(user);
        conversations.into_iter().map(|(id, _)| of_lane(&*self.lane(id)?)).sum()
    }
}
