use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::memory::HashMemory;
use super::queue::JobQueue;
use crate::HashCost;

/// How much the threads step back for the others of the process, on the scale of nice(2): with
/// everything at work they get a third of what another thread gets.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// The threads that hash. They end when this is dropped, each after the hash that it is at.
pub(super) struct Workers {
    queue: Arc<JobQueue>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` threads that take their jobs from this queue.
    pub(super) fn start(count: usize, queue: &Arc<JobQueue>, cost: HashCost) -> io::Result<Self> {
        let mut workers = Self { queue: Arc::clone(queue), threads: Vec::new() };
        let kept = usize::try_from(cost.memory_kib).unwrap_or(usize::MAX);
        for _ in 0..count {
            let queue = Arc::clone(queue);
            let thread = thread::Builder::new().name("password-hash".to_owned());
            workers.threads.push(thread.spawn(move || work(&queue, HashMemory::new(kept)))?);
        }
        Ok(workers)
    }
}

fn work(queue: &JobQueue, mut memory: HashMemory) {
    step_back();
    while let Some(job) = queue.pop() {
        // What a panic leaves in the memory is overwritten by the next hash.
        if catch_unwind(AssertUnwindSafe(|| job(&mut memory))).is_err() {
            tracing::error!("a thread that hashes passwords panicked, and goes on");
        }
    }
}

/// Lowers this thread's priority. Where that is not possible, nothing is lost but fairness.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "the priority of a thread that hashes could not be lowered");
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that hashes passwords panicked");
            }
        }
    }
}
