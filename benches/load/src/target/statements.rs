use std::sync::atomic::{AtomicU64, Ordering};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::Failure;

/// Where an embedding says how many statements there were.
pub(super) const PATH: &str = "/statements";

static STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// Begins to count the statements of this process, as the driver reports each of them. It does not
/// report how it begins and ends a transaction.
pub(super) fn count() -> Result<(), Failure> {
    Ok(tracing::subscriber::set_global_default(Count)?)
}

/// How many there were.
pub(super) fn counted() -> u64 {
    STATEMENTS.load(Ordering::Relaxed)
}

struct Count;

impl Subscriber for Count {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn event(&self, _: &Event<'_>) {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
