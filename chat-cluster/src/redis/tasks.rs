use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of one member. Each ends when its token is cancelled, and a panic in one is told.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks {
    running: TaskTracker,
}

impl Tasks {
    /// Runs a task until it ends or is stopped.
    pub(super) fn spawn(
        &self,
        stop: CancellationToken,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.running.spawn(async move {
            let task = AssertUnwindSafe(task).catch_unwind();
            if let Some(Err(_)) = stop.run_until_cancelled(task).await {
                tracing::error!("a task of the connection to redis panicked and is given up");
            }
        });
    }

    /// Waits until all that were stopped have ended.
    pub(super) async fn ended(&self) {
        self.running.close();
        self.running.wait().await;
    }
}
