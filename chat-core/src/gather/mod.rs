//! Questions of one moment become one: those who come or come back at the same time are read
//! together.
//!
//! There is no timer. While the store answers, further questions wait and become the next call, so
//! that calls grow with the load, and a lone question waits for nobody. Only what every arrival asks
//! is gathered. It is asked of the store itself, and no answer is kept: whoever asks is told what was
//! stored at some moment after the question.

mod store;

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

pub(crate) use store::GatheredStore;

use crate::sharded::lock;
use crate::store::{StoreError, only};
use crate::tasks::Tasks;

/// The most questions of one call.
const MOST: usize = 64;
/// The most questions that wait; a further one is refused.
const QUEUE: usize = 16_384;
/// Calls under way at once, so that a long one holds up nobody.
const CALLS: usize = 2;

/// Lets others come who are about to, and returns once what waits no longer doubles, or is enough.
/// That is a few turns at most, and seldom more than one.
pub(crate) async fn while_doubling(enough: usize, waiting: impl Fn() -> usize) {
    let mut least = 1;
    loop {
        let now = waiting();
        if !(least..enough).contains(&now) {
            return;
        }
        least = 2 * now;
        tokio::task::yield_now().await;
    }
}

/// A call of the store.
type Ask<Q, H, A> = dyn Fn(Arc<[Q]>, H) -> Asking<A> + Send + Sync;
type Asking<A> = BoxFuture<'static, Result<Vec<A>, StoreError>>;

/// Those who are asked for in one call.
type Batch<Q, H, A> = Vec<Waiting<Q, H, A>>;

/// Asks the store for `A`s, one for each `Q`; questions that differ by `H` are not asked together.
struct Gather<Q, H, A> {
    name: &'static str,
    ask: Box<Ask<Q, H, A>>,
    /// How long a call may take.
    patience: Duration,
    tasks: Tasks,
    /// Held for a push, or while the next call is put together.
    line: Mutex<Line<Q, H, A>>,
}

struct Line<Q, H, A> {
    waiting: VecDeque<Waiting<Q, H, A>>,
    calls: usize,
}

struct Waiting<Q, H, A> {
    question: Q,
    how: H,
    answer: oneshot::Sender<Result<A, StoreError>>,
}

impl<Q, H, A> Gather<Q, H, A>
where
    Q: Clone + Send + Sync + 'static,
    H: Copy + PartialEq + Send + 'static,
    A: Send + 'static,
{
    fn new<F>(
        name: &'static str,
        patience: Duration,
        tasks: &Tasks,
        ask: impl Fn(Arc<[Q]>, H) -> F + Send + Sync + 'static,
    ) -> Arc<Self>
    where
        F: Future<Output = Result<Vec<A>, StoreError>> + Send + 'static,
    {
        Arc::new(Self {
            name,
            ask: Box::new(move |questions, how| Box::pin(ask(questions, how))),
            patience,
            tasks: tasks.clone(),
            line: Mutex::new(Line { waiting: VecDeque::new(), calls: 0 }),
        })
    }

    /// Asks one question, together with whoever asks now. Safe to cancel.
    async fn ask(self: &Arc<Self>, question: Q, how: H) -> Result<A, StoreError> {
        let (answer, answered) = oneshot::channel();
        let start = {
            let mut line = lock(&self.line);
            if line.waiting.len() >= QUEUE {
                return Err(StoreError::unavailable("too many wait for an answer already"));
            }
            line.waiting.push_back(Waiting { question, how, answer });
            let start = line.calls < CALLS;
            line.calls += usize::from(start);
            start
        };
        if start {
            let this = Arc::clone(self);
            self.tasks.spawn(self.name, async move { this.work().await });
        }
        // A lost answer means that the asking task panicked.
        answered.await.unwrap_or_else(|_| Err(StoreError::failed("the store was not asked")))
    }

    /// Asks for as long as somebody waits.
    async fn work(&self) {
        loop {
            while_doubling(MOST, || lock(&self.line).waiting.len()).await;
            let Some((how, batch)) = self.next() else { return };
            // Those of a call that panics are told so; the others go on.
            if AssertUnwindSafe(self.settle(how, batch)).catch_unwind().await.is_err() {
                tracing::error!(call = self.name, "asking the store panicked");
            }
        }
    }

    /// The next call: those in front who ask alike and are still there. None ends the work.
    fn next(&self) -> Option<(H, Batch<Q, H, A>)> {
        let mut line = lock(&self.line);
        let (mut how, mut batch) = (None, Vec::new());
        while batch.len() < MOST
            && let Some(first) = line.waiting.front()
            && how.is_none_or(|how| how == first.how)
        {
            let first = line.waiting.pop_front()?;
            if !first.answer.is_closed() {
                how = Some(first.how);
                batch.push(first);
            }
        }
        if batch.is_empty() {
            line.calls -= 1;
        }
        how.zip(Some(batch))
    }

    async fn settle(&self, how: H, batch: Batch<Q, H, A>) {
        let (questions, waiting): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|one| (one.question, one.answer)).unzip();
        let questions = Arc::from(questions);
        match self.call(&questions, how).await {
            Ok(answers) => {
                // Who no longer waits needs no answer.
                for (waiting, answer) in waiting.into_iter().zip(answers) {
                    let _ = waiting.send(Ok(answer));
                }
            }
            // One question that the store cannot answer must not take the others along.
            Err(StoreError::Failed(_)) if questions.len() > 1 => {
                let mut rest = waiting.into_iter().zip(questions.iter());
                while let Some((waiting, question)) = rest.next() {
                    if waiting.is_closed() {
                        continue;
                    }
                    let answer = self.call(&Arc::from([question.clone()]), how).await;
                    match answer.and_then(only) {
                        // The store has gone away meanwhile: nobody need wait for each to fail.
                        Err(error) if !matches!(error, StoreError::Failed(_)) => {
                            let rest = rest.by_ref().map(|(waiting, _)| waiting);
                            refuse(std::iter::once(waiting).chain(rest), error);
                        }
                        answer => drop(waiting.send(answer)),
                    }
                }
            }
            Err(error) => refuse(waiting.into_iter(), error),
        }
    }

    async fn call(&self, questions: &Arc<[Q]>, how: H) -> Result<Vec<A>, StoreError> {
        let asking = (self.ask)(Arc::clone(questions), how);
        let answers = tokio::time::timeout(self.patience, asking)
            .await
            .map_err(|_| StoreError::unavailable("the store did not answer in time"))??;
        if answers.len() == questions.len() {
            Ok(answers)
        } else {
            Err(StoreError::failed("the store answered another number of questions"))
        }
    }
}

/// Tells everybody the same failure.
fn refuse<A>(
    waiting: impl Iterator<Item = oneshot::Sender<Result<A, StoreError>>>,
    error: StoreError,
) {
    for (waiting, error) in waiting.zip(error.for_several()) {
        let _ = waiting.send(Err(error));
    }
}

impl<Q, H, A> fmt::Debug for Gather<Q, H, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").field("name", &self.name).finish_non_exhaustive()
    }
}
