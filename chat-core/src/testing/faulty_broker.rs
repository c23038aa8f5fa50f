use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use crate::broker::{
    Broker, BrokerError, BrokerMessage, MemoryBroker, MemoryBrokerNode, Received, Subject,
};
use crate::sharded::lock;

/// How often each fault strikes, in percent of the messages that arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// Messages that never arrive.
    pub lost: u8,
    /// Messages that arrive twice.
    pub repeated: u8,
    /// Messages that arrive after one that was sent later.
    pub delayed: u8,
}

impl Faults {
    /// A broker that works.
    pub const NONE: Self = Self { lost: 0, repeated: 0, delayed: 0 };
    /// A broker that is worse than any real one.
    pub const MANY: Self = Self { lost: 25, repeated: 25, delayed: 25 };
}

/// A broker between engines of one process that fails on purpose, in a way that a seed decides.
#[derive(Debug, Clone)]
pub struct FaultyBroker {
    broker: MemoryBroker,
    shared: Arc<Shared>,
}

/// What all nodes share.
#[derive(Debug)]
struct Shared {
    faults: Mutex<Faults>,
    random: Mutex<Random>,
}

/// One node's connection to a [`FaultyBroker`].
#[derive(Debug)]
pub struct FaultyBrokerNode {
    node: MemoryBrokerNode,
    shared: Arc<Shared>,
    /// What arrives before anything else.
    again: Mutex<VecDeque<BrokerMessage>>,
    /// What arrives after the next message.
    held: Mutex<Vec<BrokerMessage>>,
}

impl FaultyBroker {
    /// A broker with these faults.
    #[must_use]
    pub fn new(faults: Faults, seed: u64) -> Self {
        let shared = Shared { faults: Mutex::new(faults), random: Mutex::new(Random(seed)) };
        Self { broker: MemoryBroker::new(), shared: Arc::new(shared) }
    }

    /// Connects one more node.
    #[must_use]
    pub fn node(&self) -> FaultyBrokerNode {
        FaultyBrokerNode {
            node: self.broker.node(),
            shared: Arc::clone(&self.shared),
            again: Mutex::default(),
            held: Mutex::default(),
        }
    }

    /// Changes the faults from now on.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.shared.faults) = faults;
    }
}

impl FaultyBrokerNode {
    /// What becomes of a message that has come: returned if it arrives now.
    fn strike(&self, message: BrokerMessage) -> Option<BrokerMessage> {
        let faults = *lock(&self.shared.faults);
        let chance = lock(&self.shared.random).percent();
        let (lost, repeated) = (faults.lost, faults.lost.saturating_add(faults.repeated));
        if chance < lost {
            return None;
        }
        let mut held = lock(&self.held);
        if chance < repeated {
            lock(&self.again).push_back(message.clone());
        } else if chance < repeated.saturating_add(faults.delayed) && held.len() < 8 {
            held.push(message);
            return None;
        }
        // Those held back come behind this one, the last first.
        lock(&self.again).extend(held.drain(..).rev());
        Some(message)
    }
}

#[async_trait]
impl Broker for FaultyBrokerNode {
    async fn publish(&self, messages: Vec<BrokerMessage>) -> Result<(), BrokerError> {
        self.node.publish(messages).await
    }

    async fn subscribe(&self, subjects: Vec<Subject>) -> Result<(), BrokerError> {
        self.node.subscribe(subjects).await
    }

    async fn unsubscribe(&self, subjects: Vec<Subject>) -> Result<(), BrokerError> {
        self.node.unsubscribe(subjects).await
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        self.node.probe().await
    }

    async fn close(&self) {
        self.node.close().await;
    }

    async fn receive(&self) -> Result<Received, BrokerError> {
        loop {
            if let Some(message) = lock(&self.again).pop_front() {
                return Ok(Received::Message(message));
            }
            match self.node.receive().await? {
                Received::Message(message) => {
                    if let Some(message) = self.strike(message) {
                        return Ok(Received::Message(message));
                    }
                }
                other => return Ok(other),
            }
        }
    }
}

/// A small generator that a seed decides (xorshift64*); enough to choose faults.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn percent(&mut self) -> u8 {
        let mut x = self.0 | 1;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0 = x;
        u8::try_from((x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % 100).unwrap_or(0)
    }
}
