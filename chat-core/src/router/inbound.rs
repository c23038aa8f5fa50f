//! What arrives from other nodes.

use std::sync::Arc;
use std::time::Duration;

use chat_proto::{CloseCode, ConversationId, LoginSessionId, PresenceEntry, SignalEvent, UserId};

use super::envelope::{Envelope, Notice};
use super::lane::Change;
use super::{MAX_CONTACTS, Router, causes};
use crate::broker::{BrokerMessage, Received, Subject};
use crate::hub::{Delivery, Item};

/// How long after the broker has ended the connection it is asked again.
const DEAF: Duration = Duration::from_secs(1);

impl Router {
    /// Receives from the broker until the engine stops.
    pub(crate) async fn receive(self: Arc<Self>) {
        let Some(broker) = self.broker.clone() else { return };
        loop {
            match broker.receive().await {
                Ok(Received::Message(message)) => {
                    self.traffic.received();
                    self.take(message);
                }
                Ok(Received::Reconnected) => {
                    tracing::info!(
                        "the broker is back, or dropped messages: comparing with the store"
                    );
                    self.interrupted.notify_one();
                }
                Err(error) => {
                    tracing::warn!(error = %causes(&error), "cannot hear other nodes");
                    tokio::time::sleep(DEAF).await;
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
            (Notice::Reached { conversation, change_seq }, _) => {
                self.news.advance(conversation);
                self.hear_of(conversation, change_seq);
            }
            (Notice::Signal { conversation, about, event }, _) => {
                self.news.signal(&about, &event);
                self.hear_version(&event);
                self.show(conversation, &about, &event);
            }
            (Notice::ReadOn { conversation }, Subject::User(user)) => {
                self.hear_of_reading(&user, conversation, origin);
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
                self.versions.hear(entry.version);
                self.show_presence(entry, audience.as_deref());
            }
            (Notice::PresenceIn { entry, conversations }, _) => {
                self.news.presence(&entry);
                self.versions.hear(entry.version);
                self.show_presence_in(entry, &conversations);
            }
            (Notice::Newcomers { conversation, entries }, _) => {
                entries.iter().for_each(|entry| self.versions.hear(entry.version));
                self.show_newcomers(conversation, entries);
            }
            (notice, subject) => {
                tracing::warn!(%subject, ?notice, "a notice came on a subject it does not belong to");
            }
        }
    }

    /// Notes the number of what another node tells of somebody's typing.
    fn hear_version(&self, event: &SignalEvent) {
        if let SignalEvent::TypingStarted { version, .. }
        | SignalEvent::TypingStopped { version, .. } = event
        {
            self.versions.hear(*version);
        }
    }

    /// Shows this node's devices that a user came or went.
    pub(crate) fn show_presence(&self, entry: PresenceEntry, audience: Option<&[UserId]>) {
        let event = SignalEvent::PresenceChanged(entry);
        let delivery = Delivery::signal(&event, None);
        self.told.tell(&event, || match audience {
            Some(users) => self.hub.deliver_to_users(users, &delivery),
            None => drop(self.hub.deliver_to_all(&delivery)),
        });
    }

    /// Shows those who are told of a conversation here that these users have joined it and are online:
    /// all of them as one delivery, so that a crowd of newcomers is not written to each device one by
    /// one. A lone newcomer is not told of itself.
    ///
    /// Of a user of whom something later was told, nothing is. What is told of the user in the same moment
    /// may come before this: clients go by the version.
    pub(crate) fn show_newcomers(
        &self,
        conversation: ConversationId,
        mut entries: Vec<PresenceEntry>,
    ) {
        entries.retain(|entry| {
            let mut is_news = false;
            let event = SignalEvent::PresenceChanged(entry.clone());
            self.told.tell(&event, || is_news = true);
            is_news
        });
        let lone = match entries.as_slice() {
            [] => return,
            [entry] => Some(entry.user_id.clone()),
            _ => None,
        };
        self.hub.fan_out(conversation, &Delivery::presence(entries), lone.as_ref());
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
}
