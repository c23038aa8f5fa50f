use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

use super::{Traffic, causes};
use crate::broker::{Broker, BrokerError, BrokerMessage, Subject};
use crate::sharded::lock;
use crate::tasks::Tasks;

/// How much waits for the broker; further messages are lost to the other nodes, which then read
/// the store.
const QUEUE: usize = 16_384;
/// How many orders are carried out by as few calls of the broker as possible.
const BATCH: usize = 256;

/// What goes to the broker, in order, without anybody waiting for it.
#[derive(Debug)]
pub(super) struct Outbound {
    queue: Option<mpsc::Sender<Order>>,
    /// How long an answer of the broker may take.
    timeout: Duration,
    spared: Arc<Spared>,
    traffic: Arc<Traffic>,
}

/// Until when a broker that did not answer is not asked for anything: everybody would wait for it.
#[derive(Debug, Default)]
struct Spared(std::sync::Mutex<Option<Instant>>);

impl Spared {
    fn set(&self, until: Option<Instant>) {
        *lock(&self.0) = until;
    }

    fn is_set(&self) -> bool {
        lock(&self.0).is_some_and(|until| Instant::now() < until)
    }
}

#[derive(Debug)]
enum Order {
    Publish(BrokerMessage),
    Subscribe(Subject, oneshot::Sender<bool>),
    Unsubscribe(Subject),
    Flush(oneshot::Sender<()>),
}

impl Outbound {
    pub(super) fn new(
        broker: Option<Arc<dyn Broker>>,
        timeout: Duration,
        traffic: Arc<Traffic>,
        tasks: &Tasks,
    ) -> Self {
        let spared = Arc::new(Spared::default());
        let (counted, noted) = (Arc::clone(&traffic), Arc::clone(&spared));
        let queue = broker.map(|broker| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            let receiver = Arc::new(Mutex::new(receiver));
            tasks.keep("broker.outbound", move || {
                let (broker, orders) = (Arc::clone(&broker), Arc::clone(&receiver));
                carry_out(broker, orders, Arc::clone(&counted), Arc::clone(&noted), timeout)
            });
            sender
        });
        Self { queue, timeout, spared, traffic }
    }

    pub(super) fn publish(&self, subject: Subject, payload: Bytes) {
        self.order(Order::Publish(BrokerMessage { subject, payload }));
    }

    /// Subscribes, and waits until the broker has answered, but not for ever; returns whether it
    /// did as asked. In one queue with the other orders, so that a subject that is left and entered
    /// again ends up subscribed.
    pub(super) async fn subscribe(&self, subject: Subject) -> bool {
        if self.spared.is_set() {
            return false;
        }
        let (done, answered) = oneshot::channel();
        self.order(Order::Subscribe(subject, done));
        matches!(tokio::time::timeout(self.timeout, answered).await, Ok(Ok(true)))
    }

    pub(super) fn unsubscribe(&self, subject: Subject) {
        self.order(Order::Unsubscribe(subject));
    }

    /// Waits until all orders before this one are carried out, but not for ever.
    pub(super) async fn flush(&self) {
        if self.queue.is_some() {
            let (done, flushed) = oneshot::channel();
            self.order(Order::Flush(done));
            if tokio::time::timeout(self.timeout, flushed).await.is_err() {
                tracing::warn!("the broker is too slow: other nodes will read the store");
            }
        }
    }

    fn order(&self, order: Order) {
        let Some(queue) = &self.queue else { return };
        if let Err(refused) = queue.try_send(order) {
            if let Order::Publish(_) = refused.into_inner() {
                self.traffic.published(1, false);
            }
            tracing::warn!("the broker is too slow: other nodes will read the store");
        }
    }
}

async fn carry_out(
    broker: Arc<dyn Broker>,
    orders: Arc<Mutex<mpsc::Receiver<Order>>>,
    traffic: Arc<Traffic>,
    spared: Arc<Spared>,
    timeout: Duration,
) {
    let mut orders = orders.lock().await;
    let mut waiting = Vec::with_capacity(BATCH);
    while orders.recv_many(&mut waiting, BATCH).await > 0 {
        for batch in batches(waiting.drain(..)) {
            let messages = if let Batch::Publish(messages) = &batch { messages.len() } else { 0 };
            if spared.is_set() && batch.can_be_left() {
                traffic.published(messages, false);
                continue;
            }
            batch.count(&traffic);
            let done = tokio::time::timeout(timeout, batch.carry_out(&*broker)).await;
            traffic.published(messages, matches!(done, Ok(Ok(()))));
            match done {
                Ok(Ok(())) => spared.set(None),
                Ok(Err(error)) => tracing::warn!(error = %causes(&error), "a broker call failed"),
                Err(_) => {
                    tracing::warn!("the broker did not answer in time");
                    spared.set(Some(Instant::now() + timeout));
                }
            }
        }
    }
}

/// Orders of one kind that follow one another, for one call of the broker.
#[derive(Debug)]
enum Batch {
    Publish(Vec<BrokerMessage>),
    Subscribe(Vec<Subject>, Vec<oneshot::Sender<bool>>),
    Unsubscribe(Vec<Subject>),
    Flush(oneshot::Sender<()>),
}

fn batches(orders: impl Iterator<Item = Order>) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for order in orders {
        match (batches.last_mut(), order) {
            (Some(Batch::Publish(messages)), Order::Publish(message)) => messages.push(message),
            (Some(Batch::Subscribe(subjects, waiting)), Order::Subscribe(subject, done)) => {
                subjects.push(subject);
                waiting.push(done);
            }
            (Some(Batch::Unsubscribe(subjects)), Order::Unsubscribe(subject)) => {
                subjects.push(subject);
            }
            (_, Order::Publish(message)) => batches.push(Batch::Publish(vec![message])),
            (_, Order::Subscribe(subject, done)) => {
                batches.push(Batch::Subscribe(vec![subject], vec![done]));
            }
            (_, Order::Unsubscribe(subject)) => batches.push(Batch::Unsubscribe(vec![subject])),
            (_, Order::Flush(done)) => batches.push(Batch::Flush(done)),
        }
    }
    batches
}

impl Batch {
    /// Whether nothing is wrong when it is not carried out: what is not told is read from the store,
    /// and what is not subscribed to is asked for again, since nobody is told that it is.
    fn can_be_left(&self) -> bool {
        matches!(self, Self::Publish(_) | Self::Subscribe(..))
    }

    fn count(&self, traffic: &Traffic) {
        match self {
            Self::Subscribe(subjects, _) => traffic.subscribed(subjects.len()),
            Self::Unsubscribe(subjects) => traffic.unsubscribed(subjects.len()),
            Self::Publish(_) | Self::Flush(_) => {}
        }
    }

    async fn carry_out(self, broker: &dyn Broker) -> Result<(), BrokerError> {
        match self {
            Self::Publish(messages) => broker.publish(messages).await,
            Self::Subscribe(subjects, waiting) => {
                let subscribed = broker.subscribe(subjects).await;
                for done in waiting {
                    // Whoever no longer waits has noted it as not subscribed.
                    let _ = done.send(subscribed.is_ok());
                }
                subscribed
            }
            Self::Unsubscribe(subjects) => broker.unsubscribe(subjects).await,
            Self::Flush(done) => {
                let _ = done.send(());
                Ok(())
            }
        }
    }
}
