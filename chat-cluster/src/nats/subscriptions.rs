use std::collections::hash_map::Entry;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_nats::Subscriber;
use chat_core::broker::{BrokerMessage, Subject};
use foldhash::{HashMap, HashMapExt};
use futures::FutureExt;
use futures::stream::{AbortHandle, Abortable, FuturesUnordered, Stream, StreamExt};
use tokio::sync::mpsc;

use super::error::NatsError;
use super::inbox::Inbox;

/// How many new subscriptions wait for the task that reads them.
const NEW: usize = 64;
/// After how many messages of one subscription others on the machine may have a turn.
const TURN: usize = 256;

/// What a node has subscribed to. One task reads all subscriptions into one inbox.
#[derive(Debug)]
pub(super) struct Subscriptions {
    /// How to end each; the lock is held for one look.
    ends: Mutex<HashMap<Subject, AbortHandle>>,
    new: mpsc::Sender<Abortable<Heard>>,
}

/// Messages of one subject.
pub(super) struct Heard {
    subject: Subject,
    subscriber: Subscriber,
}

/// The task's part of it.
pub(super) struct Reader {
    new: mpsc::Receiver<Abortable<Heard>>,
    inbox: Arc<Inbox>,
}

impl Subscriptions {
    /// None yet, and what reads them, to be run as a task.
    pub(super) fn new(inbox: Arc<Inbox>) -> (Self, Reader) {
        let (sender, receiver) = mpsc::channel(NEW);
        let subscriptions = Self { ends: Mutex::new(HashMap::new()), new: sender };
        (subscriptions, Reader { new: receiver, inbox })
    }

    pub(super) fn contains(&self, subject: &Subject) -> bool {
        self.lock().contains_key(subject)
    }

    /// Begins to read a subscription, unless there is one to its subject.
    ///
    /// # Errors
    ///
    /// When the reader has ended.
    pub(super) async fn add(
        &self,
        subject: Subject,
        subscriber: Subscriber,
    ) -> Result<(), NatsError> {
        // First the room, so that whoever stops waiting leaves nothing half done.
        let room = self.new.reserve().await.map_err(|_| NatsError::Closed)?;
        if let Entry::Vacant(vacant) = self.lock().entry(subject) {
            let (end, registration) = AbortHandle::new_pair();
            let heard = Heard { subject: vacant.key().clone(), subscriber };
            vacant.insert(end);
            room.send(Abortable::new(heard, registration));
        }
        Ok(())
    }

    /// Ends the subscription to a subject. Nothing of it enters the inbox from now on, and the
    /// server is told when the reader has let go of it.
    pub(super) fn end(&self, subject: &Subject) {
        if let Some(end) = self.lock().remove(subject) {
            end.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Subject, AbortHandle>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// Reads until the subscriptions are dropped.
    ///
    /// A subscription that has something is read until it has no more, before the next one: they are
    /// read in the order in which they were woken, so what is published on one subject does not
    /// overtake what came before on another, or by very little.
    pub(super) fn run(self) -> impl Future<Output = ()> {
        // The runtime would otherwise interrupt a subscription in the middle. In place of that the
        // reader yields by itself.
        tokio::task::unconstrained(self.read())
    }

    async fn read(mut self) {
        let mut all = FuturesUnordered::new();
        loop {
            tokio::select! {
                new = self.new.recv() => match new {
                    Some(heard) => all.push(heard.into_future()),
                    None => return,
                },
                Some((first, heard)) = all.next(), if !all.is_empty() => {
                    if let Some(message) = first {
                        all.push(self.drain(message, heard).await.into_future());
                    }
                }
            }
        }
    }

    /// Reads one subscription until it has no more.
    async fn drain(&self, first: BrokerMessage, mut heard: Abortable<Heard>) -> Abortable<Heard> {
        self.inbox.put(first);
        let mut read = 1_usize;
        while let Some(Some(message)) = heard.next().now_or_never() {
            self.inbox.put(message);
            read += 1;
            if read.is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
        }
        heard
    }
}

impl Stream for Heard {
    type Item = BrokerMessage;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<BrokerMessage>> {
        self.subscriber.poll_next_unpin(context).map(|next| {
            let payload = next?.payload;
            Some(BrokerMessage { subject: self.subject.clone(), payload })
        })
    }
}
