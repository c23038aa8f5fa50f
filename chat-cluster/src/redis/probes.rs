use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::{HashMap, HashMapExt};
use tokio::sync::oneshot;

/// Probes that are on their way, on a channel that nobody else uses.
#[derive(Debug)]
pub(super) struct Probes {
    channel: String,
    next: AtomicU64,
    /// Who waits for which. Held for one step.
    waiting: Mutex<HashMap<u64, oneshot::Sender<()>>>,
}

/// One probe. Dropping it ends the waiting.
#[derive(Debug)]
pub(super) struct Probe<'a> {
    probes: &'a Probes,
    number: u64,
    pub(super) came_back: oneshot::Receiver<()>,
}

impl Probes {
    pub(super) fn new(channel: String) -> Self {
        Self { channel, next: AtomicU64::new(0), waiting: Mutex::new(HashMap::new()) }
    }

    pub(super) fn channel(&self) -> &str {
        &self.channel
    }

    pub(super) fn begin(&self) -> Probe<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (told, came_back) = oneshot::channel();
        self.lock().insert(number, told);
        Probe { probes: self, number, came_back }
    }

    /// Notes that one has come back.
    pub(super) fn came_back(&self, payload: &[u8]) {
        let number = payload.try_into().map(u64::from_be_bytes);
        let waiting = number.ok().and_then(|number| self.lock().remove(&number));
        if let Some(told) = waiting {
            // Whoever has given up need not be told.
            let _ = told.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<()>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Probe<'_> {
    /// What is sent.
    pub(super) const fn payload(&self) -> [u8; 8] {
        self.number.to_be_bytes()
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.probes.lock().remove(&self.number);
    }
}
