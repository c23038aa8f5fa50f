//! Between nodes: the trait by which engines that share a store tell each other what happened.
//!
//! A broker may lose, repeat and reorder; the engine expects all three. Changes of a conversation
//! carry consecutive numbers, so a node that misses one reads it from the store, and a periodic look
//! at the heads finds a lost last one. What is lost of typing, presence and receipts is lost.

mod memory;

use std::error::Error;
use std::fmt;
use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use chat_proto::{ConversationId, UserId};

pub use memory::{MemoryBroker, MemoryBrokerNode};

/// What a message between nodes is about. A node subscribes to what it has local sessions for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One conversation: for nodes with sessions of its members.
    Conversation(ConversationId),
    /// One user: for nodes with sessions of that user.
    User(UserId),
    /// Who came and went, where everyone sees everyone's presence: for every node. Otherwise nobody
    /// subscribes to it, and presence travels with conversations.
    Presence,
}

/// The subject's name, in the form that brokers with dotted hierarchies use. A user's id is written
/// in hexadecimal, since it may contain dots.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conversation(id) => write!(f, "chat.conversation.{id}"),
            Self::User(id) => {
                f.write_str("chat.user.")?;
                id.as_str().bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Presence => f.write_str("chat.presence"),
        }
    }
}

/// A message from another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerMessage {
    /// What it is about.
    pub subject: Subject,
    /// What it says, opaque to the broker.
    pub payload: Bytes,
}

/// What a node receives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// A message.
    Message(BrokerMessage),
    /// The connection was interrupted and is back, or messages were dropped because the node read
    /// too slowly: anything may have been lost. The node looks at once for what it missed.
    Reconnected,
}

/// A broker did not do what it was asked. The engine goes on without: what was not told is found
/// in the store.
#[derive(Debug, thiserror::Error)]
#[error("the broker is not available")]
pub struct BrokerError(#[source] Box<dyn Error + Send + Sync>);

impl BrokerError {
    /// Wraps a cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// One node's connection to the others.
///
/// To ensure correctness: a message published after a subscription was acknowledged reaches the
/// subscriber, unless it is lost; a message is delivered at most to those subscribed. A node may
/// receive what it published itself. What waits for a node that reads slowly is bounded: the rest is
/// lost to that node, which is told so by [`Received::Reconnected`], and harms nobody else.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait Broker: Debug + Send + Sync + 'static {
    /// Tells of each message every node that is subscribed to its subject. Those of one subject, from
    /// one node, arrive in this order unless the connection breaks.
    ///
    /// The engine hands over all that waits, so that one exchange with the broker carries it.
    async fn publish(&self, messages: Vec<BrokerMessage>) -> Result<(), BrokerError>;

    /// Begins to receive what is published on these subjects, from the moment this returns. A
    /// subscription to one that is subscribed to already changes nothing.
    ///
    /// After a failure some may be subscribed to and some not; the engine asks again. Subscriptions
    /// outlive the connection: a new one is made with all of them before
    /// [`Received::Reconnected`] is returned.
    async fn subscribe(&self, subjects: Vec<Subject>) -> Result<(), BrokerError>;

    /// Ends that.
    async fn unsubscribe(&self, subjects: Vec<Subject>) -> Result<(), BrokerError>;

    /// Waits for the next message. Called by one task at a time, and safe to cancel. Fails only
    /// when the connection has been given up for good, such as by [`Broker::close`].
    async fn receive(&self) -> Result<Received, BrokerError>;

    /// Sends something through the broker and waits until it has come back, by the connections that
    /// the other methods use. [`Broker::receive`] does not return it.
    async fn probe(&self) -> Result<(), BrokerError>;

    /// Ends the connection, after what was published. All other calls fail from then on.
    async fn close(&self);

    /// Whether every message reaches every subscriber that is not [told](Received::Reconnected) of an
    /// interruption, even one that reads slowly. Then the engine need not compare with the store by
    /// the clock.
    fn is_lossless(&self) -> bool {
        false
    }
}
