//! What arrives from other nodes, and the regular look at what may never have arrived.

use std::sync::Arc;
use std::time::Duration;

use chat_proto::{CloseCode, LoginSessionId, PresenceEntry, SignalEvent, UserId};

use super::envelope::{Envelope, Notice};
use super::lane::Change;
use super::{CHUNK, Router, causes};
use crate::broker::{BrokerMessage, Received, Subject};
use crate::error::ChatError;
use crate::hub::{Delivery, Item};
use crate::stores::within;

impl Router {
    /// Receives from the broker until the engine stops.
    pub(crate) async fn receive(self: Arc<Self>) {
        let Some(broker) = self.broker.clone() else { return };
        loop {
            match broker.receive().await {
                Ok(Received::Message(message)) => self.take(message),
                Ok(Received::Reconnected) => {
                    if let Err(error) = self.reconcile().await {
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
            (Notice::Change(event), _) => self.enter(Change { event, origin }),
            (Notice::Signal { conversation, about, event }, _) => {
                self.show(conversation, &about, &event);
            }
            (Notice::ToUser(event), Subject::User(user)) => {
                self.show_user(&user, &event, origin.as_ref());
            }
            (Notice::Appeared { conversation, joined }, Subject::User(user)) => {
                self.appear_here(&user, conversation, joined);
            }
            (Notice::LoginsEnded(logins), Subject::User(user)) => {
                self.end_logins_here(&user, &logins);
            }
            (Notice::Presence { entry, audience }, _) => {
                self.show_presence(entry, audience.as_deref());
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

    /// Ends the connections here of logins that have ended. Nothing follows but that news.
    pub(crate) fn end_logins_here(&self, user: &UserId, logins: &[LoginSessionId]) {
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
        let timeout = self.config.call_timeout();
        for conversations in self.lanes.keys().chunks(CHUNK) {
            for head in within(timeout, self.messages.heads(conversations)).await? {
                self.hear_of(head.conversation_id, head.change_seq);
            }
        }
        for users in self.hub.users().chunks(CHUNK) {
            for membership in within(timeout, self.members.memberships(users)).await? {
                if !self.hub.is_subscribed(&membership.user_id, membership.conversation_id) {
                    self.appear_here(
                        &membership.user_id,
                        membership.conversation_id,
                        membership.change_seq,
                    );
                }
            }
        }
        Ok(())
    }
}
