//! Inner parts of the engine by themselves, for counting what they cost (feature `parts`).
//!
//! Nothing here is an interface to build on. A feature of its own, since what is counted is built as
//! it is deployed, and the suites and mocks of `testing` would take most of that time.

use crate::router::OrderGate as Gate;

/// The gate that lets the changes of one conversation pass in the order of their numbers.
///
/// Its work is a small part of a send's: through [`Chat`](crate::Chat), one could not see that it
/// has grown by a tenth. What else is on that way is narrow enough from outside.
#[derive(Debug)]
pub struct OrderGate<T>(Gate<T>);

impl<T> OrderGate<T> {
    /// A gate that has passed changes up to `place`.
    #[must_use]
    pub fn placed(place: u64) -> Self {
        let mut gate = Gate::new();
        gate.place(place);
        Self(gate)
    }

    /// Takes a change that arrived, in any order and any number of times.
    pub fn offer(&mut self, number: u64, change: T) {
        self.0.offer(number, change);
    }

    /// Takes up to `max` changes whose turn it is, in order.
    pub fn pass(&mut self, max: usize) -> Vec<T> {
        self.0.pass(max)
    }
}
