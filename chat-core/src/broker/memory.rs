use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Broker, BrokerError, BrokerMessage, Received, Subject};

/// How many messages wait for a node that does not receive; further ones are lost to it.
const INBOX: usize = 65_536;

/// A broker between nodes of one process: for tests, and for engines that share a process.
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
}

#[derive(Debug)]
struct Inbox {
    sender: mpsc::Sender<BrokerMessage>,
    subjects: Mutex<HashSet<Subject>>,
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
        let inbox = Arc::new(Inbox { sender, subjects: Mutex::default() });
        lock(&self.nodes).push(Arc::clone(&inbox));
        MemoryBrokerNode {
            nodes: Arc::clone(&self.nodes),
            inbox,
            received: tokio::sync::Mutex::new(receiver),
        }
    }
}

impl Drop for MemoryBrokerNode {
    fn drop(&mut self) {
        lock(&self.nodes).retain(|other| !Arc::ptr_eq(other, &self.inbox));
    }
}

#[async_trait]
impl Broker for MemoryBrokerNode {
    async fn publish(&self, subject: Subject, payload: Bytes) -> Result<(), BrokerError> {
        for node in lock(&self.nodes).iter() {
            let own = Arc::ptr_eq(node, &self.inbox);
            if !own && lock(&node.subjects).contains(&subject) {
                let message = BrokerMessage { subject: subject.clone(), payload: payload.clone() };
                if node.sender.try_send(message).is_err() {
                    tracing::warn!(%subject, "a node's inbox is full: a message to it is lost");
                }
            }
        }
        Ok(())
    }

    async fn subscribe(&self, subject: Subject) -> Result<(), BrokerError> {
        lock(&self.inbox.subjects).insert(subject);
        Ok(())
    }

    async fn unsubscribe(&self, subject: Subject) -> Result<(), BrokerError> {
        lock(&self.inbox.subjects).remove(&subject);
        Ok(())
    }

    async fn receive(&self) -> Result<Received, BrokerError> {
        let message = self.received.lock().await.recv().await;
        message.map(Received::Message).ok_or_else(|| BrokerError::new("the node is disconnected"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
