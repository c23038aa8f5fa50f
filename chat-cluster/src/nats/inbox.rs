use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_core::broker::{BrokerMessage, Received};
use tokio::sync::Notify;

/// The most bytes of payload that wait, however few messages they are.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What waits for a node that does not receive: bounded, and honest about what was dropped.
///
/// When it is full, further messages are dropped until the node has received half of what waits.
/// Behind what was there before the loss stands [`Received::Reconnected`], so that whoever reads it
/// looks for what was missed after all of it was missed, and once for each loss, not once for each
/// message.
#[derive(Debug)]
pub(super) struct Inbox {
    /// The most messages that wait.
    capacity: usize,
    /// What waits; the lock is held for one arrival or one departure.
    state: Mutex<State>,
    /// Wakes the one who receives.
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Received>,
    /// Bytes of payload among them.
    bytes: usize,
    /// Whether messages are dropped at the moment.
    overflowing: bool,
    closed: bool,
}

impl Inbox {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), state: Mutex::default(), arrived: Notify::new() }
    }

    /// Takes a message in, or drops it.
    pub(super) fn put(&self, message: BrokerMessage) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        let size = message.payload.len();
        let full = state.waiting.len() >= self.capacity || state.bytes + size > MAX_BYTES;
        if full && !state.waiting.is_empty() {
            state.overflowing = true;
        }
        if state.overflowing {
            state.interrupt();
        } else {
            state.bytes += size;
            state.waiting.push_back(Received::Message(message));
        }
        drop(state);
        self.arrived.notify_one();
    }

    /// Notes that anything may have been lost up to now.
    pub(super) fn interrupt(&self) {
        self.lock().interrupt();
        self.arrived.notify_one();
    }

    /// The next of what waits, as soon as there is something. `None` when the inbox is closed and
    /// empty.
    pub(super) async fn take(&self) -> Option<Received> {
        loop {
            {
                let mut state = self.lock();
                if let Some(received) = state.take(self.capacity) {
                    return Some(received);
                }
                if state.closed {
                    return None;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Takes nothing in from now on.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn interrupt(&mut self) {
        if !self.closed && self.waiting.back() != Some(&Received::Reconnected) {
            self.waiting.push_back(Received::Reconnected);
        }
    }

    fn take(&mut self, capacity: usize) -> Option<Received> {
        let received = self.waiting.pop_front()?;
        if let Received::Message(message) = &received {
            self.bytes -= message.payload.len();
        }
        if self.waiting.len() <= capacity / 2 && self.bytes <= MAX_BYTES / 2 {
            self.overflowing = false;
        }
        Some(received)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chat_core::broker::Subject;
    use futures::FutureExt;

    use super::*;

    fn message(payload: impl Into<Bytes>) -> BrokerMessage {
        BrokerMessage { subject: Subject::Presence, payload: payload.into() }
    }

    fn taken(inbox: &Inbox) -> Vec<String> {
        let next = || inbox.take().now_or_never().flatten();
        std::iter::from_fn(next)
            .map(|received| match received {
                Received::Message(message) => String::from_utf8_lossy(&message.payload).into(),
                _ => "lost".into(),
            })
            .collect()
    }

    #[test]
    fn a_loss_is_told_once_and_in_its_place() {
        let inbox = Inbox::new(4);
        ["a", "b", "c", "d", "e", "f"].into_iter().for_each(|payload| inbox.put(message(payload)));
        assert_eq!(inbox.take().now_or_never().flatten(), Some(Received::Message(message("a"))));
        inbox.put(message("g"));
        assert_eq!(taken(&inbox), ["b", "c", "d", "lost"]);
        inbox.put(message("h"));
        assert_eq!(taken(&inbox), ["h"]);
    }

    #[test]
    fn few_large_messages_are_too_much_also() {
        let inbox = Inbox::new(1_000);
        let large = Bytes::from(vec![b'x'; MAX_BYTES / 4 + 1]);
        (0..9).for_each(|_| inbox.put(message(large.clone())));
        let lengths: Vec<_> = taken(&inbox).iter().map(String::len).collect();
        assert_eq!(lengths, [large.len(), large.len(), large.len(), 4]);
        inbox.put(message(vec![b'x'; MAX_BYTES + 1]));
        assert_eq!(taken(&inbox).len(), 1, "a single one passes, whatever its size");
    }

    #[test]
    fn interruptions_are_told_and_a_closed_inbox_ends() {
        let inbox = Inbox::new(2);
        inbox.interrupt();
        inbox.interrupt();
        assert_eq!(taken(&inbox), ["lost"]);
        inbox.put(message("last"));
        inbox.close();
        inbox.put(message("late"));
        inbox.interrupt();
        assert_eq!(taken(&inbox), ["last"]);
        assert_eq!(inbox.take().now_or_never(), Some(None));
    }
}
