use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Event;

/// A history that is being written by all clients of a test.
#[derive(Debug)]
pub struct History {
    began: Instant,
    /// What was written until now. Held for one entry, so that all entries have one order.
    record: Mutex<Record>,
}

/// A history, in the order in which it was written.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// The user of each client.
    pub users: Vec<String>,
    /// What they did and saw.
    pub entries: Vec<Entry>,
}

/// One thing of a history.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When, after the history began.
    pub at: Duration,
    /// Which client, by its place in [`Record::users`].
    pub client: usize,
    /// What.
    pub event: Event,
}

/// One client's pen.
#[derive(Debug, Clone)]
pub struct Recorder {
    history: Arc<History>,
    client: usize,
}

impl History {
    /// Begins a history.
    #[must_use]
    pub fn begin() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), record: Mutex::default() })
    }

    /// Adds a client of this user.
    #[must_use]
    pub fn client(self: &Arc<Self>, user: &str) -> Recorder {
        let mut record = self.lock();
        record.users.push(user.to_owned());
        Recorder { client: record.users.len() - 1, history: Arc::clone(self) }
    }

    /// What was written until now.
    #[must_use]
    pub fn record(&self) -> Record {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// Notes something that happened just now.
    pub fn note(&self, event: Event) {
        let mut record = self.history.lock();
        // Taken under the lock, so that times are in order, too.
        let at = self.history.began.elapsed();
        record.entries.push(Entry { at, client: self.client, event });
    }
}

impl Record {
    /// The entries of one client.
    pub fn of(&self, client: usize) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.client == client)
    }
}
