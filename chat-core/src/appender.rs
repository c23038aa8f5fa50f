//! Group commit: the messages of all sessions that are waiting become one call of the store.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_proto::ChangeEvent;
use futures::FutureExt;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::ChatError;
use crate::gather::while_doubling;
use crate::hub::Origin;
use crate::router::{Router, causes};
use crate::sharded::lock;
use crate::store::{AppendOutcome, MessageDraft, MessageStore, StoreError};
use crate::tasks::Tasks;
use crate::within::within;

/// The most messages stored in one call.
const BATCH: usize = 1_024;
/// The most messages that wait; a further one is refused.
const QUEUE: usize = 8_192;
/// How long a store that did not answer before may take until others are no longer let wait for it.
const GLANCE: Duration = Duration::from_millis(500);
/// When they may ask again.
const RETRY: Duration = Duration::from_secs(1);

/// Stores messages, in the order in which they were submitted.
///
/// There is no timer: while one batch is being stored the next gathers, so batches grow with the
/// load. Before each, whoever is ready to run may submit as well: a lone message waits for those
/// alone.
#[derive(Debug)]
pub(crate) struct Appender {
    store: Arc<dyn MessageStore>,
    router: Arc<Router>,
    timeout: Duration,
    tasks: Tasks,
    /// What waits, and whether a task is storing. Held for a push or a swap.
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Pending>,
    storing: bool,
    /// Whether the store did not answer the last call.
    in_doubt: bool,
    /// Whether, after that, it does not answer the present one either: nobody is let in to wait.
    turned_away: bool,
}

#[derive(Debug)]
struct Pending {
    draft: MessageDraft,
    origin: Option<Origin>,
    answer: oneshot::Sender<Result<AppendOutcome, ChatError>>,
}

/// The answer to a submitted message, once it is stored.
#[derive(Debug)]
pub(crate) struct Appending(oneshot::Receiver<Result<AppendOutcome, ChatError>>);

impl Appending {
    pub(crate) async fn outcome(self) -> Result<AppendOutcome, ChatError> {
        // A lost answer means that the storing task panicked: the message may be stored or not.
        self.0.await.unwrap_or(Err(ChatError::Timeout))
    }
}

impl Appender {
    pub(crate) fn new(
        store: Arc<dyn MessageStore>,
        router: Arc<Router>,
        timeout: Duration,
        tasks: Tasks,
    ) -> Arc<Self> {
        Arc::new(Self { store, router, timeout, tasks, queue: Mutex::default() })
    }

    /// Puts a message in line. Its place is taken when this returns, whoever awaits the answer.
    pub(crate) fn submit(
        self: &Arc<Self>,
        draft: MessageDraft,
        origin: Option<Origin>,
    ) -> Result<Appending, ChatError> {
        let (answer, appending) = oneshot::channel();
        let start = {
            let mut queue = lock(&self.queue);
            if queue.turned_away {
                return Err(StoreError::CircuitOpen { retry_after: RETRY }.into());
            }
            if queue.waiting.len() >= QUEUE {
                return Err(ChatError::Busy);
            }
            queue.waiting.push(Pending { draft, origin, answer });
            !std::mem::replace(&mut queue.storing, true)
        };
        if start {
            let appender = Arc::clone(self);
            self.tasks.spawn("appender", async move { appender.drive().await });
        }
        Ok(Appending(appending))
    }

    /// Whether messages are being stored.
    pub(crate) fn is_storing(&self) -> bool {
        lock(&self.queue).storing
    }

    async fn drive(&self) {
        loop {
            self.gather().await;
            let Some(batch) = self.next_batch() else { return };
            // Senders of a batch that panics are told that its outcome is unknown; the others go on.
            if AssertUnwindSafe(self.store(batch)).catch_unwind().await.is_err() {
                tracing::error!("storing a batch of messages panicked");
            }
        }
    }

    /// Lets those submit who are about to: what is stored together is also written to the receivers
    /// together, and a room's fan-out costs far more than this.
    ///
    /// Goes on for as long as what waits doubles, which is ten times at most and seldom more than
    /// once: messages that merely follow one another do not hold up the first.
    async fn gather(&self) {
        while_doubling(BATCH, || lock(&self.queue).waiting.len()).await;
    }

    fn next_batch(&self) -> Option<Vec<Pending>> {
        let mut queue = lock(&self.queue);
        queue.turned_away = false;
        if queue.waiting.is_empty() {
            queue.storing = false;
            return None;
        }
        let size = queue.waiting.len().min(BATCH);
        let rest = queue.waiting.split_off(size);
        Some(std::mem::replace(&mut queue.waiting, rest))
    }

    async fn store(&self, mut batch: Vec<Pending>) {
        let drafts = batch.iter().map(|pending| pending.draft.clone()).collect();
        match self.append(drafts).await {
            Ok(outcomes) => self.settle(batch, outcomes),
            // One draft that the store cannot take must not take the others along.
            Err(ChatError::Store(StoreError::Failed(_))) if batch.len() > 1 => {
                let mut rest = batch.drain(..);
                while let Some(pending) = rest.next() {
                    match self.append(vec![pending.draft.clone()]).await {
                        Ok(outcomes) => self.settle(vec![pending], outcomes),
                        Err(error @ ChatError::Store(StoreError::Failed(_))) => {
                            refuse(vec![pending], error);
                        }
                        // The store has gone away meanwhile: nobody need wait for each to fail.
                        Err(error) => {
                            refuse(std::iter::once(pending).chain(rest.by_ref()).collect(), error);
                        }
                    }
                }
            }
            Err(error) => refuse(batch, error),
        }
    }

    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, ChatError> {
        let expected = drafts.len();
        let began = Instant::now();
        let mut appending = pin!(within(self.timeout, self.store.append(drafts)));
        let result = if lock(&self.queue).in_doubt {
            match tokio::time::timeout(GLANCE, &mut appending).await {
                Ok(result) => result,
                Err(_) => {
                    self.turn_away();
                    appending.await
                }
            }
        } else {
            appending.await
        };
        let is_away = matches!(&result, Err(error) if error.is_store_away());
        lock(&self.queue).in_doubt = is_away;
        if is_away && began.elapsed() >= GLANCE {
            // Whoever waits behind a store that hangs need not wait for it once more.
            self.turn_away();
        }
        let outcomes = result?;
        if outcomes.len() == expected {
            Ok(outcomes)
        } else {
            Err(StoreError::failed("the store answered another number of messages").into())
        }
    }

    /// Refuses those who wait, and everybody who comes until the store is asked the next time.
    fn turn_away(&self) {
        let waiting = {
            let mut queue = lock(&self.queue);
            queue.turned_away = true;
            std::mem::take(&mut queue.waiting)
        };
        refuse(waiting, StoreError::CircuitOpen { retry_after: RETRY }.into());
    }

    /// Tells everybody of what was stored, and then each sender.
    fn settle(&self, batch: Vec<Pending>, outcomes: Vec<AppendOutcome>) {
        for (pending, outcome) in batch.into_iter().zip(outcomes) {
            match &outcome {
                AppendOutcome::Stored(message) => self.router.announce(
                    ChangeEvent::MessageCreated {
                        conversation_id: message.conversation_id,
                        change_seq: message.change_seq,
                        message: message.clone(),
                    },
                    pending.origin,
                ),
                // Its first send may have been stored without this node knowing.
                AppendOutcome::Repeated(message) => {
                    self.router.hear_of(message.conversation_id, message.change_seq);
                }
                AppendOutcome::NotMember => {}
            }
            // A sender that is gone needs no answer.
            let _ = pending.answer.send(Ok(outcome));
        }
    }
}

/// Answers every sender of a batch that was not stored.
fn refuse(batch: Vec<Pending>, error: ChatError) {
    if !error.is_refusal() {
        tracing::error!(messages = batch.len(), error = %causes(&error), "messages were not stored");
    }
    // Who no longer waits needs no answer.
    match error {
        ChatError::Store(error) => {
            for (pending, error) in batch.into_iter().zip(error.for_several()) {
                let _ = pending.answer.send(Err(error.into()));
            }
        }
        // Nobody knows what became of them.
        _ => {
            for pending in batch {
                let _ = pending.answer.send(Err(ChatError::Timeout));
            }
        }
    }
}
