use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_core::broker::{BrokerMessage, Received};
use tokio::sync::Notify;

use super::error::CallError;

/// What waits for a node to receive it.
#[derive(Debug)]
pub(super) struct Inbox {
    /// How many messages may wait.
    limit: usize,
    /// The lock is held for one step.
    waiting: Mutex<Waiting>,
    /// There is something.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<BrokerMessage>,
    /// Whether anything may have been lost since the node was last told so.
    lost: bool,
    closed: bool,
}

impl Inbox {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, waiting: Mutex::default(), changed: Notify::new() }
    }

    /// Adds a message, or loses it where too many wait. Never waits itself.
    pub(super) fn offer(&self, message: BrokerMessage) {
        let mut waiting = self.lock();
        if waiting.messages.len() < self.limit && !waiting.closed {
            waiting.messages.push_back(message);
        } else if !std::mem::replace(&mut waiting.lost, true) {
            tracing::warn!(subject = %message.subject, "an inbox is full: messages are lost");
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// Notes that anything may have been lost until now, and nothing is from now on.
    pub(super) fn note_loss(&self) {
        self.lock().lost = true;
        self.changed.notify_one();
    }

    /// Ends all waiting, and forgets what waits.
    pub(super) fn close(&self) {
        *self.lock() = Waiting { closed: true, ..Waiting::default() };
        self.changed.notify_one();
    }

    /// The next that happened. That something was lost goes before all that waits, since whatever
    /// was lost came before the node looks for it.
    pub(super) async fn next(&self) -> Result<Received, CallError> {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    fn take(&self) -> Option<Result<Received, CallError>> {
        let mut waiting = self.lock();
        if waiting.closed {
            // Whoever else waits is woken, too.
            self.changed.notify_one();
            return Some(Err(CallError::Closed));
        }
        if std::mem::take(&mut waiting.lost) {
            return Some(Ok(Received::Reconnected));
        }
        waiting.messages.pop_front().map(|message| Ok(Received::Message(message)))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
