use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Broker, BrokerError, BrokerMessage, Received, Subject};

/// How many messages wait for a node that does not receive; further ones are lost to it.
const INBOX: usize = 65_536;

/// A broker between nodes of one process: for tests, and for engines that share a process. It
/// loses messages only to a node that lets 65,536 of them wait.
#[derive(Debug, Clone, Default)]
pub struct MemoryBroker {
    /// Every node's inbox and subscriptions.
    nodes: Arc<Mutex<Vec<Arc<Inbox>>>>,
}

/// One node's connection to a [`MemoryBroker`]. Dropping it disconnects the node.
#[derive(Debug)]
pub struct MemoryBrokerNode {
    nodes: Arc<Mutex<Vec<Arc<Inbox>>>>,
    inbox: Arc<Inbox>,
    received: tokio::sync::Mutex<mpsc::Receiver<BrokerMessage>>,
    closed: CancellationToken,
}

#[derive(Debug)]
struct Inbox {
    sender: mpsc::Sender<BrokerMessage>,
    subjects: Mutex<HashSet<Subject>>,
    /// Whether something was lost since the node was last told so.
    lost: AtomicBool,
}

impl MemoryBroker {
    /// A broker without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Connects one more node.
    #[must_use]
    pub fn node(&self) -> MemoryBrokerNode {
        let (sender, receiver) = mpsc::channel(INBOX);
        let (subjects, lost) = (Mutex::default(), AtomicBool::new(false));
        let inbox = Arc::new(Inbox { sender, subjects, lost });
        lock(&self.nodes).push(Arc::clone(&inbox));
        MemoryBrokerNode {
            nodes: Arc::clone(&self.nodes),
            inbox,
            received: tokio::sync::Mutex::new(receiver),
            closed: CancellationToken::new(),
        }
    }
}

impl Inbox {
    fn offer(&self, message: &BrokerMessage) {
        if lock(&self.subjects).contains(&message.subject)
            && self.sender.try_send(message.clone()).is_err()
            && !self.lost.swap(true, Ordering::AcqRel)
        {
            tracing::warn!(subject = %message.subject, "a node's inbox is full: messages are lost");
        }
    }
}

impl MemoryBrokerNode {
    /// All nodes, unless this one is no longer among them.
    fn connected(&self) -> Result<Vec<Arc<Inbox>>, BrokerError> {
        if self.closed.is_cancelled() {
            return Err(disconnected());
        }
        Ok(lock(&self.nodes).clone())
    }

    fn disconnect(&self) {
        lock(&self.nodes).retain(|other| !Arc::ptr_eq(other, &self.inbox));
    }
}

impl Drop for MemoryBrokerNode {
    fn drop(&mut self) {
        self.disconnect();
    }
}

fn disconnected() -> BrokerError {
    BrokerError::new("the node is disconnected")
}

#[async_trait]
impl Broker for MemoryBrokerNode {
    async fn publish(&self, messages: Vec<BrokerMessage>) -> Result<(), BrokerError> {
        let nodes = self.connected()?;
        for message in messages {
            for node in nodes.iter().filter(|node| !Arc::ptr_eq(node, &self.inbox)) {
                node.offer(&message);
            }
        }
        Ok(())
    }

    async fn subscribe(&self, subjects: Vec<Subject>) -> Result<(), BrokerError> {
        self.connected()?;
        lock(&self.inbox.subjects).extend(subjects);
        Ok(())
    }

    async fn unsubscribe(&self, subjects: Vec<Subject>) -> Result<(), BrokerError> {
        self.connected()?;
        let mut subscribed = lock(&self.inbox.subjects);
        subjects.iter().for_each(|subject| {
            subscribed.remove(subject);
        });
        Ok(())
    }

    async fn receive(&self) -> Result<Received, BrokerError> {
        let mut waiting = self.received.lock().await;
        if self.inbox.lost.swap(false, Ordering::AcqRel) {
            return Ok(Received::Reconnected);
        }
        tokio::select! {
            biased;
            message = waiting.recv() => message.map(Received::Message).ok_or_else(disconnected),
            () = self.closed.cancelled() => Err(disconnected()),
        }
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        self.connected().map(drop)
    }

    async fn close(&self) {
        self.disconnect();
        self.closed.cancel();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
