//! Routing: from what happened, on this node or another, to this node's devices.
//!
//! Every conversation with devices here has a lane. A change enters it from the local engine or from
//! the broker, in any order and any number of times; the lane's order gate lets it pass once and in
//! its turn, reads from the store what never came, and one task per active lane encodes what passes
//! and offers it to the devices.

mod deliver;
mod envelope;
mod gate;
mod hearing;
mod inbound;
mod interest;
mod lane;
mod outbound;
mod reconcile;
mod traffic;
mod unread;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_proto::{ChangeEvent, ConversationId, NodeId, SessionId, SignalEvent, UserId};
use foldhash::HashMap;
use tokio::sync::Notify;

use envelope::{Envelope, Notice};
use interest::Interest;
use lane::Change;
pub(crate) use lane::Lane;
use outbound::Outbound;
pub use traffic::BrokerTraffic;
pub(crate) use traffic::Traffic;
use unread::UnreadCounts;
use versions::Versions;

use crate::ChatConfig;
use crate::broker::{Broker, Subject};
use crate::cache::News;
use crate::ended::EndedLogins;
use crate::error::ChatError;
use crate::hub::{Delivery, Hub, Item, Origin, ToldStates};
use crate::sharded::Sharded;
use crate::store::{Head, InboxStore, MemberStore, MessageStore, StoreParts};
use crate::tasks::Tasks;
use crate::within::within;

pub(crate) use envelope::Notice as RouterNotice;
#[cfg(feature = "parts")]
pub(crate) use gate::OrderGate;

/// The largest notice of a change that travels whole, in bytes. Most messages are far smaller.
const MAX_WHOLE: usize = 8 * 1024;
/// The most users who are told of, or listed to, one user.
pub(crate) const MAX_CONTACTS: usize = 1_000;
/// Conversations asked for in one call of the store.
const CHUNK: usize = 500;
/// How long somebody waits until a change was told here.
const TOLD: Duration = Duration::from_secs(1);
/// Subscriptions asked of the broker at once.
const CONCURRENT_SUBSCRIPTIONS: usize = 256;

/// What moves events from where they happen to this node's devices.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) node: NodeId,
    pub(crate) hub: Hub,
    lanes: Sharded<ConversationId, Arc<Lane>>,
    broker: Option<Arc<dyn Broker>>,
    outbound: Outbound,
    /// Which subjects the broker is to be asked for, or may forget.
    interest: Interest,
    /// Wakes whoever compares with the store: the broker has been away.
    pub(crate) interrupted: Notify,
    /// What goes over the broker.
    pub(crate) traffic: Arc<Traffic>,
    /// For devices that are attaching with a login that has just ended.
    pub(crate) ended_logins: EndedLogins,
    messages: Arc<dyn MessageStore>,
    members: Arc<dyn MemberStore>,
    inbox: Arc<dyn InboxStore>,
    /// What this node's devices were told last of states.
    told: ToldStates,
    /// What orders what this node tells of presence and typing.
    versions: Versions,
    /// Counts of what is unread that are being told.
    unread: UnreadCounts,
    /// What is heard here before any device is told.
    pub(crate) news: News,
    tasks: Tasks,
    config: Arc<ChatConfig>,
}

impl Router {
    pub(crate) fn new(
        StoreParts { messages, members, inbox, .. }: StoreParts,
        news: News,
        broker: Option<Arc<dyn Broker>>,
        tasks: Tasks,
        config: Arc<ChatConfig>,
    ) -> Arc<Self> {
        let traffic = Arc::new(Traffic::default());
        let outbound =
            Outbound::new(broker.clone(), config.call_timeout(), Arc::clone(&traffic), &tasks);
        Arc::new(Self {
            node: NodeId::generate(),
            hub: Hub::new(),
            lanes: Sharded::new(),
            broker,
            outbound,
            interest: Interest::default(),
            interrupted: Notify::new(),
            traffic,
            ended_logins: EndedLogins::default(),
            messages,
            members,
            inbox,
            told: ToldStates::new(),
            versions: Versions::default(),
            unread: UnreadCounts::new(),
            news,
            tasks,
            config,
        })
    }

    /// Tells this node and the others of a change that is stored.
    ///
    /// To the others a small change travels whole. Of a large one they are told that it happened:
    /// those who want it read it, and many may not.
    pub(crate) fn announce(self: &Arc<Self>, event: ChangeEvent, origin: Option<Origin>) {
        if self.broker.is_some() {
            let (conversation, change_seq) = (event.conversation_id(), event.change_seq());
            let subject = Subject::Conversation(conversation);
            let whole = self.sealed(origin.as_ref(), Notice::Change(event.clone()));
            let payload = if whole.len() > MAX_WHOLE {
                self.sealed(origin.as_ref(), Notice::Reached { conversation, change_seq })
            } else {
                whole
            };
            self.outbound.publish(subject, payload);
        }
        self.enter(Change { event, origin });
    }

    /// Shows the members of a conversation something, but not the user it is about.
    pub(crate) fn signal(&self, conversation: ConversationId, about: &UserId, event: &SignalEvent) {
        self.send(Subject::Conversation(conversation), None, || Notice::Signal {
            conversation,
            about: about.clone(),
            event: event.clone(),
        });
        self.show(conversation, about, event);
    }

    /// A number for what is about to be told of presence or typing. See [`Versions`].
    pub(crate) fn next_version(&self) -> u64 {
        self.versions.next()
    }

    /// Makes a conversation appear to a user who has joined it by the change `joined`: from there
    /// on the user's devices, wherever they are, are told of it.
    pub(crate) fn appear(&self, user: &UserId, conversation: ConversationId, joined: u64) {
        self.send(Subject::User(user.clone()), None, || Notice::Appeared { conversation, joined });
        self.appear_here(user, conversation, joined);
    }

    /// Tells this node's devices and the others of something without a subject of its own.
    pub(crate) fn broadcast(&self, subject: Subject, notice: &Notice) {
        self.send(subject, None, || notice.clone());
    }

    /// Hears that a conversation has come this far.
    pub(crate) fn hear_of(self: &Arc<Self>, conversation: ConversationId, change_seq: u64) {
        let Some(lane) = self.lane(conversation) else { return };
        if lane.passed().is_none_or(|passed| passed < change_seq) {
            self.news.advance(conversation);
        }
        if lane.hear_of(change_seq) {
            self.run(lane);
        }
    }

    /// Waits until this node's devices were told of a change, but not for long: it may be held up by
    /// one before it that has yet to be read.
    pub(crate) async fn tell_here(&self, conversation: ConversationId, change_seq: u64) {
        let Some(lane) = self.lane(conversation) else { return };
        if tokio::time::timeout(TOLD, lane.until_told(change_seq)).await.is_err() {
            tracing::warn!(%conversation, change_seq, "devices are told of a change late");
        }
    }

    /// Waits until what was told the other nodes is on its way, but not for ever.
    pub(crate) async fn flush(&self) {
        self.outbound.flush().await;
    }

    /// Opens lanes that are heard from the broker where their conversations stand.
    ///
    /// # Errors
    ///
    /// When a conversation is not among `heads` and the store does not answer where it stands.
    pub(crate) async fn open_at(
        self: &Arc<Self>,
        lanes: Vec<Arc<Lane>>,
        heads: &[Head],
    ) -> Result<(), ChatError> {
        let heads: HashMap<_, _> =
            heads.iter().map(|head| (head.conversation_id, head.change_seq)).collect();
        let mut rest = Vec::new();
        for lane in lanes {
            match heads.get(&lane.conversation) {
                Some(head) => self.open(lane, *head),
                None => rest.push(lane),
            }
        }
        for lanes in rest.chunks(CHUNK) {
            let ids: Vec<_> = lanes.iter().map(|lane| lane.conversation).collect();
            let heads = within(self.config.call_timeout(), self.messages.heads(&ids)).await?;
            for lane in lanes {
                let head = heads.iter().find(|head| head.conversation_id == lane.conversation);
                self.open(Arc::clone(lane), head.map_or(0, |head| head.change_seq));
            }
        }
        Ok(())
    }

    fn open(self: &Arc<Self>, lane: Arc<Lane>, head: u64) {
        if lane.open(head) {
            self.run(lane);
        }
    }

    /// Ends the lanes of conversations that no device here is told of.
    pub(crate) fn close(&self, conversations: &[ConversationId]) {
        for conversation in conversations {
            let mut lanes = self.lanes.lock(conversation);
            // A device may have come back since.
            if !self.hub.has_room(*conversation)
                && let Some(lane) = lanes.remove(conversation)
            {
                lane.close();
                self.let_go(Subject::Conversation(*conversation));
            }
        }
    }

    fn enter(self: &Arc<Self>, change: Change) {
        if let Some(lane) = self.lane(change.event.conversation_id())
            && lane.offer(change)
        {
            self.run(lane);
        }
    }

    pub(crate) fn appear_here(&self, user: &UserId, conversation: ConversationId, joined: u64) {
        self.subscribe(user, conversation, joined, None);
    }

    /// Makes a user's devices here be told of a conversation. It appears to those that were not
    /// told of it, except to one that learns of it otherwise.
    pub(crate) fn subscribe(
        &self,
        user: &UserId,
        conversation: ConversationId,
        joined: u64,
        except: Option<SessionId>,
    ) {
        if !self.hub.is_attached(user) {
            return;
        }
        let since = joined.saturating_sub(1);
        // A new lane begins where the user did. In one that was there, what has passed must be
        // replayed, and what has not will come. A device that attaches reads where the conversation
        // stands, and places the lane itself.
        let place = except.is_none().then_some(since);
        let lane = self.ensure_lane(conversation, place);
        self.hub.subscribe(user, conversation, joined, |device| {
            let until = lane.passed();
            (except != Some(device.id)).then_some(Item::Appeared { conversation, since, until })
        });
        // The lane may have been closed before there was a device in the room.
        self.ensure_lane(conversation, place);
        self.close(&[conversation]);
    }

    fn show(&self, conversation: ConversationId, about: &UserId, event: &SignalEvent) {
        let delivery = Delivery::signal(event, None);
        self.told.tell(event, || self.hub.fan_out(conversation, &delivery, Some(about)));
    }

    fn show_user(&self, user: &UserId, event: &SignalEvent, origin: Option<&Origin>) {
        let users = std::slice::from_ref(user);
        self.hub.deliver_to_users(users, &Delivery::signal(event, origin));
    }

    fn send(&self, subject: Subject, origin: Option<&Origin>, notice: impl FnOnce() -> Notice) {
        if self.broker.is_some() {
            self.outbound.publish(subject, self.sealed(origin, notice()));
        }
    }

    fn sealed(&self, origin: Option<&Origin>, notice: Notice) -> Bytes {
        Envelope { node: self.node, origin: origin.cloned(), notice }.encode()
    }

    fn lane(&self, conversation: ConversationId) -> Option<Arc<Lane>> {
        self.lanes.lock(&conversation).get(&conversation).cloned()
    }

    fn ensure_lane(&self, conversation: ConversationId, place: Option<u64>) -> Arc<Lane> {
        let mut lanes = self.lanes.lock(&conversation);
        let lane =
            lanes.entry(conversation).or_insert_with(|| Arc::new(Lane::new(conversation, place)));
        Arc::clone(lane)
    }
}

/// An error with its causes, on one line, for the log.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
