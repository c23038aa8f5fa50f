//! What arrives from other nodes, and the regular look at what may never have arrived.

use std::sync::Arc;
use std::time::Duration;

use chat_proto::{CloseCode, ConversationId, LoginSessionId, PresenceEntry, SignalEvent, UserId};
use foldhash::{HashMap, HashMapExt};

use super::envelope::{Envelope, Notice};
use super::lane::Change;
use super::{CHUNK, MAX_CONTACTS, Router, causes};
use crate::broker::{BrokerMessage, Received, Subject};
use crate::error::ChatError;
use crate::hub::{Delivery, Item};
use crate::sharded::lock;
use crate::store::Membership;
use crate::within::within;

impl Router {
    /// Receives from the broker until the engine stops.
    pub(crate) async fn receive(self: Arc<Self>) {
        let Some(broker) = self.broker.clone() else { return };
        loop {
            match broker.receive().await {
                Ok(Received::Message(message)) => self.take(message),
                Ok(Received::Reconnected) => {
                    if let Err(error) = self.reconcile().await
                        && !error.is_refusal()
                    {
                        tracing::warn!(error = %causes(&error), "cannot look for what was missed");
                    }
                }
                Err(error) => {
                    tracing::warn!(error = %causes(&error), "cannot hear other nodes");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    fn take(self: &Arc<Self>, BrokerMessage { subject, payload }: BrokerMessage) {
        let envelope = match Envelope::decode(&payload) {
            Ok(envelope) if envelope.node == self.node => return,
            Ok(envelope) => envelope,
            Err(error) => {
                tracing::warn!(%subject, %error, "another node sent what this one cannot read");
                return;
            }
        };
        let origin = envelope.origin;
        match (envelope.notice, subject) {
            (Notice::Change(event), _) => {
                self.news.change(&event);
                self.enter(Change { event, origin });
            }
            (Notice::Signal { conversation, about, event }, _) => {
                self.news.signal(&about, &event);
                self.show(conversation, &about, &event);
            }
            (Notice::ToUser(event), Subject::User(user)) => {
                self.news.signal(&user, &event);
                self.show_user(&user, &event, origin.as_ref());
            }
            (Notice::Appeared { conversation, joined }, Subject::User(user)) => {
                self.news.joined(&user, conversation);
                self.appear_here(&user, conversation, joined);
            }
            (Notice::LoginsEnded(logins), Subject::User(user)) => {
                self.end_logins_here(&user, &logins);
            }
            (Notice::Presence { entry, audience }, _) => {
                self.news.presence(&entry);
                self.show_presence(entry, audience.as_deref());
            }
            (Notice::PresenceIn { entry, conversations }, _) => {
                self.news.presence(&entry);
                self.show_presence_in(entry, &conversations);
            }
            (notice, subject) => {
                tracing::warn!(%subject, ?notice, "a notice came on a subject it does not belong to");
            }
        }
    }

    /// Shows this node's devices that a user came or went.
    pub(crate) fn show_presence(&self, entry: PresenceEntry, audience: Option<&[UserId]>) {
        let delivery = Delivery::signal(&SignalEvent::PresenceChanged(entry), None);
        match audience {
            Some(users) => {
                users.iter().for_each(|user| self.hub.deliver_to_user(user, &delivery));
            }
            None => self.hub.for_each_device(|device| {
                device.outbox.offer(Item::Delivery(delivery.clone()));
            }),
        }
    }

    /// Shows it to those who are told of one of these conversations, where few are.
    pub(crate) fn show_presence_in(&self, entry: PresenceEntry, conversations: &[ConversationId]) {
        let companions = self.companions(&entry.user_id, conversations);
        self.show_presence(entry, Some(&companions));
    }

    /// Other users with devices here who are told of one of these conversations, as far as those
    /// are small enough for presence. How many members there are only the store knows, so a
    /// conversation counts as small when few of them are here.
    pub(crate) fn companions(
        &self,
        user: &UserId,
        conversations: &[ConversationId],
    ) -> Vec<UserId> {
        let most = self.config.limits.presence_members;
        self.hub.companions(user, conversations, most, MAX_CONTACTS)
    }

    /// Ends the connections here of logins that have ended. Nothing follows but that news.
    pub(crate) fn end_logins_here(&self, user: &UserId, logins: &[LoginSessionId]) {
        self.ended_logins.note(logins);
        let news = Delivery::signal(&SignalEvent::SessionRevoked {}, None);
        for device in self.hub.devices_of_logins(user, logins) {
            let last = Item::Delivery(news.clone());
            device.outbox.end_at_once(Some(last), CloseCode::SessionRevoked);
        }
    }

    /// Compares what this node has delivered with the store, and sets right what it missed: last
    /// changes of which it never heard, and conversations that users joined elsewhere.
    ///
    /// # Errors
    ///
    /// When the store does not answer; what was found until then is set right.
    pub(crate) async fn reconcile(self: &Arc<Self>) -> Result<(), ChatError> {
        let unheard = std::mem::take(&mut *lock(&self.unheard));
        for subject in unheard {
            // One that nobody here asks for any more is not worth hearing.
            let wanted = match &subject {
                Subject::Conversation(id) => self.hub.has_room(*id),
                Subject::User(user) => self.hub.is_attached(user),
                Subject::Presence => true,
            };
            if wanted {
                self.hear(subject).await;
            }
        }
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
