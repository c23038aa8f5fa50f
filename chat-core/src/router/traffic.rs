use std::sync::atomic::{AtomicU64, Ordering};

/// What went over the broker since the engine began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BrokerTraffic {
    /// Messages handed to the broker.
    pub published: u64,
    /// Messages that were not, because the broker was away or too slow: other nodes read the store.
    pub unpublished: u64,
    /// Messages received from other nodes.
    pub received: u64,
    /// Subjects that the broker was asked for.
    pub subscribed: u64,
    /// Subjects that it was asked to forget.
    pub unsubscribed: u64,
}

/// Counts it.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    published: AtomicU64,
    unpublished: AtomicU64,
    received: AtomicU64,
    subscribed: AtomicU64,
    unsubscribed: AtomicU64,
}

impl Traffic {
    pub(super) fn published(&self, messages: usize, done: bool) {
        let counter = if done { &self.published } else { &self.unpublished };
        add(counter, messages);
    }

    pub(super) fn received(&self) {
        add(&self.received, 1);
    }

    pub(super) fn subscribed(&self, subjects: usize) {
        add(&self.subscribed, subjects);
    }

    pub(super) fn unsubscribed(&self, subjects: usize) {
        add(&self.unsubscribed, subjects);
    }

    pub(crate) fn so_far(&self) -> BrokerTraffic {
        BrokerTraffic {
            published: self.published.load(Ordering::Relaxed),
            unpublished: self.unpublished.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            subscribed: self.subscribed.load(Ordering::Relaxed),
            unsubscribed: self.unsubscribed.load(Ordering::Relaxed),
        }
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}
