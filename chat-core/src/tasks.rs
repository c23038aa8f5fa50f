use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::Instrument;

/// The tasks of one engine: it can stop them, and a panic in one is told and harms no other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    /// Tasks that end by themselves.
    passing: TaskTracker,
    /// Tasks that run until the engine stops.
    kept: TaskTracker,
    /// The engine takes no more work.
    stopping: CancellationToken,
    /// What is kept ends.
    stop: CancellationToken,
}

impl Tasks {
    /// Runs a task that ends by itself, soon.
    pub(crate) fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.passing.spawn(async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                tracing::error!(task = name, "a task of the engine panicked");
            }
        });
    }

    /// Runs a task that ends by itself, or with the engine's work: nobody waits for it.
    pub(crate) fn spawn_idle(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let task = self.stopping.clone().run_until_cancelled_owned(task);
        self.spawn(name, async move {
            // None when the work ended first: nobody waits for either.
            let _ = task.await;
        });
    }

    /// Runs a task until the engine stops; one that panics is started again after a second.
    pub(crate) fn keep<F>(&self, name: &'static str, task: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        self.kept.spawn(stop.run_until_cancelled_owned(async move {
            while AssertUnwindSafe(task()).catch_unwind().await.is_err() {
                tracing::error!(task = name, "a task of the engine panicked and starts again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }));
    }

    /// Starts work that goes on whether or not its owner asks for the result, and that stops when its
    /// owner drops it.
    ///
    /// For whatever asks a store on behalf of a remote side: a future that nobody polls keeps the
    /// connection of the pool that it was given, and its timeout does not run.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Running<T> {
        let task = self.passing.spawn(work.in_current_span());
        Running { name, task: AbortOnDropHandle::new(task) }
    }

    /// Carries work out as part of the caller where it is done at once, and as a task of its own, as
    /// [`Tasks::start`] has it, where it must wait. None when that task panicked.
    pub(crate) async fn drive<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let mut work = Box::pin(work);
        if let Some(done) = (&mut work).now_or_never() {
            return Some(done);
        }
        self.start(name, work).await
    }

    /// Carries work to its end even if the caller goes away. None when it panicked.
    pub(crate) async fn carry_out<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.passing.spawn(work).await.ok()
    }

    /// Whether the engine is stopping.
    pub(crate) fn stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Takes no more work, and waits for what is under way, at most so long.
    pub(crate) async fn settle(&self, limit: Duration) {
        self.stopping.cancel();
        self.passing.close();
        if tokio::time::timeout(limit, self.passing.wait()).await.is_err() {
            tracing::warn!(tasks = self.passing.len(), "work was still under way at the end");
        }
    }

    /// Stops what is kept, and waits for its end.
    pub(crate) async fn stop(&self) {
        self.cancel();
        self.kept.close();
        self.kept.wait().await;
    }

    /// Stops everything without waiting.
    pub(crate) fn cancel(&self) {
        self.stopping.cancel();
        self.stop.cancel();
    }
}

/// Work that is under way as a task of its own. Dropping this stops it.
///
/// Awaited, it is the work's result; none when the work panicked, which is logged, or when the runtime
/// shuts down. Safe to cancel, but not to be awaited again once the result is out.
#[derive(Debug)]
pub(crate) struct Running<T> {
    name: &'static str,
    task: AbortOnDropHandle<T>,
}

impl<T> Future for Running<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.task.poll_unpin(context).map(|done| {
            if done.as_ref().is_err_and(tokio::task::JoinError::is_panic) {
                tracing::error!(task = self.name, "work for a session panicked");
            }
            done.ok()
        })
    }
}
