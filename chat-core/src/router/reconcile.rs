//! The regular look at what may never have arrived.

use std::sync::Arc;

use chat_proto::{ConversationId, UserId};
use foldhash::{HashMap, HashMapExt};
use futures::{FutureExt, StreamExt};

use super::{CHUNK, CONCURRENT_SUBSCRIPTIONS, Router};
use crate::error::ChatError;
use crate::store::Membership;
use crate::within::within;

impl Router {
    /// Whether it is time to compare with the store when the broker has not said that it was away.
    /// Without a broker other nodes are heard of in no other way, and the best broker does not tell of
    /// what it did not take the subscription to.
    pub(crate) fn compares_by_the_clock(&self) -> bool {
        self.broker.as_ref().is_none_or(|broker| !broker.is_lossless())
            || self.interest.has_unheard()
    }

    /// Compares what this node has delivered with the store, and sets right what it missed: last
    /// changes of which it never heard, and conversations that users joined elsewhere.
    ///
    /// # Errors
    ///
    /// When the store does not answer; what was found until then is set right.
    pub(crate) async fn reconcile(self: &Arc<Self>) -> Result<(), ChatError> {
        // One that nobody here asks for any more is not worth hearing.
        let (wanted, unwanted): (Vec<_>, Vec<_>) =
            self.interest.unheard().into_iter().partition(|subject| self.is_wanted(subject));
        unwanted.into_iter().for_each(|subject| self.let_go(subject));
        let hearing = wanted.into_iter().map(|subject| self.hear(subject).boxed());
        futures::stream::iter(hearing.collect::<Vec<_>>())
            .for_each_concurrent(CONCURRENT_SUBSCRIPTIONS, |hearing| hearing)
            .await;
        let timeout = self.config.call_timeout();
        for conversations in self.lanes.keys().chunks(CHUNK) {
            for head in within(timeout, self.messages.heads(conversations)).await? {
                self.hear_of(head.conversation_id, head.change_seq);
            }
        }
        for users in self.hub.users().chunks(CHUNK) {
            self.compare_memberships(users).await?;
        }
        Ok(())
    }

    /// Makes these users' devices be told of exactly the conversations that the users are members
    /// of. A membership that changes meanwhile is left to its own news.
    async fn compare_memberships(self: &Arc<Self>, users: &[UserId]) -> Result<(), ChatError> {
        let told = users.iter().map(|user| (user, self.hub.subscriptions(user))).collect();
        let reading = self.members.memberships(users);
        let memberships = within(self.config.call_timeout(), reading).await?;
        self.set_right(told, &memberships).await
    }

    /// The same with what the users' devices were told of before the memberships were read.
    pub(crate) async fn set_right(
        self: &Arc<Self>,
        told: Vec<(&UserId, Vec<(ConversationId, u64)>)>,
        memberships: &[Membership],
    ) -> Result<(), ChatError> {
        let mut in_force: HashMap<(&UserId, ConversationId), u64> = HashMap::new();
        for membership in memberships {
            let key = (&membership.user_id, membership.conversation_id);
            in_force.insert(key, membership.change_seq);
        }
        let mut gone = Vec::new();
        for (user, told) in told {
            for (conversation, joined) in told {
                if in_force.remove(&(user, conversation)).is_none() {
                    gone.push((user, conversation, joined));
                }
            }
        }
        self.end_subscriptions(gone).await?;
        for ((user, conversation), joined) in in_force {
            self.news.joined(user, conversation);
            self.appear_here(user, conversation, joined);
        }
        Ok(())
    }

    /// Ends subscriptions whose memberships have ended. Where the lane has yet to tell of the
    /// leaving, it ends them by itself, behind that news.
    async fn end_subscriptions(
        self: &Arc<Self>,
        gone: Vec<(&UserId, ConversationId, u64)>,
    ) -> Result<(), ChatError> {
        let ids: Vec<_> = gone.iter().map(|(_, conversation, _)| *conversation).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let heads = within(self.config.call_timeout(), self.messages.heads(&ids)).await?;
        for (user, conversation, joined) in gone {
            let head = heads.iter().find(|head| head.conversation_id == conversation);
            let head = head.map_or(0, |head| head.change_seq);
            match self.lane(conversation).map(|lane| lane.delivered()) {
                Some(delivered) if delivered.is_none_or(|delivered| delivered < head) => {
                    self.hear_of(conversation, head);
                }
                Some(_) | None => {
                    self.hub.unsubscribe(user, conversation, joined + 1);
                    self.close(&[conversation]);
                }
            }
        }
        Ok(())
    }
}
