//! The order gate: lets the changes of one conversation pass in the order of their numbers.

use std::collections::BTreeMap;

/// The most changes that wait behind a gap. Further ones are let go: the store has them.
const MAX_HELD: usize = 256;

/// What a gate says of its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Nothing is known to be missing.
    Level,
    /// Held changes can pass.
    Ready,
    /// Something after `since` is missing.
    Gap {
        /// The last change that passed.
        since: u64,
    },
    /// It is not yet known where the conversation stood when the gate was set up.
    Unplaced,
}

/// Passes change N+1 only after change N, whatever order they arrive in and however often.
///
/// A pure state machine: it knows neither what a change is, nor a store, nor a clock.
#[derive(Debug)]
pub(crate) struct OrderGate<T> {
    /// The last change that passed; none before the gate has its place.
    passed: Option<u64>,
    /// Changes that arrived before their turn.
    held: BTreeMap<u64, T>,
    /// The highest change heard of, held or not.
    heard: u64,
}

impl<T> OrderGate<T> {
    pub(crate) const fn new() -> Self {
        Self { passed: None, held: BTreeMap::new(), heard: 0 }
    }

    /// Sets the gate's place: changes up to `head` are not its business. Only the first call counts.
    pub(crate) fn place(&mut self, head: u64) {
        if self.passed.is_none() {
            self.passed = Some(head);
            self.held = self.held.split_off(&(head + 1));
        }
    }

    /// The last change that passed; none before the gate has its place.
    pub(crate) const fn passed(&self) -> Option<u64> {
        self.passed
    }

    /// Takes a change that arrived. One that passed before, or waits already, is let go.
    pub(crate) fn offer(&mut self, number: u64, change: T) {
        self.heard = self.heard.max(number);
        if self.passed.is_some_and(|passed| number <= passed) {
            return;
        }
        self.held.entry(number).or_insert(change);
        if self.held.len() > MAX_HELD {
            self.held.pop_last();
        }
    }

    /// Hears that a change has happened, without the change itself.
    pub(crate) fn hear_of(&mut self, number: u64) {
        self.heard = self.heard.max(number);
    }

    /// Forgets what was heard beyond `since`, the gate's place: the store knows nothing of it.
    pub(crate) fn give_up(&mut self, since: u64) {
        if self.passed == Some(since) {
            self.held.clear();
            self.heard = since;
        }
    }

    pub(crate) fn stand(&self) -> Stand {
        match (self.passed, self.held.first_key_value()) {
            (None, _) => Stand::Unplaced,
            (Some(passed), Some((&first, _))) if first == passed + 1 => Stand::Ready,
            (Some(passed), _) if passed < self.heard => Stand::Gap { since: passed },
            (Some(_), _) => Stand::Level,
        }
    }

    /// Takes up to `max` changes whose turn it is, in order.
    pub(crate) fn pass(&mut self, max: usize) -> Vec<T> {
        let mut out = Vec::new();
        while let Some(passed) = self.passed
            && out.len() < max
            && let Some(change) = self.held.remove(&(passed + 1))
        {
            self.passed = Some(passed + 1);
            out.push(change);
        }
        out
    }

    /// Takes what a store answered when asked for the changes since the gate's place: `changes`, by
    /// number, and that nothing else up to `through` is still to be told. Returns what passes.
    ///
    /// Of a change that waits here, too, the waiting copy passes.
    pub(crate) fn refill(
        &mut self,
        changes: impl IntoIterator<Item = (u64, T)>,
        through: u64,
    ) -> Vec<T> {
        let passed = self.passed.unwrap_or(0);
        if through <= passed {
            return Vec::new();
        }
        let out = changes
            .into_iter()
            .filter(|(number, _)| passed < *number && *number <= through)
            .map(|(number, change)| self.held.remove(&number).unwrap_or(change))
            .collect();
        self.passed = Some(through);
        self.held = self.held.split_off(&(through + 1));
        self.heard = self.heard.max(through);
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn placed() -> OrderGate<u64> {
        let mut gate = OrderGate::new();
        gate.place(0);
        gate
    }

    #[test]
    fn a_late_change_lets_the_held_ones_pass() {
        let mut gate = placed();
        gate.offer(2, 2);
        gate.offer(3, 3);
        assert_eq!(gate.stand(), Stand::Gap { since: 0 });
        gate.offer(1, 1);
        assert_eq!(gate.stand(), Stand::Ready);
        assert_eq!(gate.pass(2), [1, 2]);
        assert_eq!(gate.pass(9), [3]);
        assert_eq!(gate.stand(), Stand::Level);
    }

    #[test]
    fn what_happened_before_the_place_does_not_pass() {
        let mut gate = OrderGate::new();
        gate.offer(5, 5);
        gate.offer(6, 6);
        assert_eq!((gate.stand(), gate.passed()), (Stand::Unplaced, None));
        gate.place(5);
        assert_eq!((gate.stand(), gate.passed()), (Stand::Ready, Some(5)));
        assert_eq!(gate.pass(9), [6]);
        assert_eq!((gate.stand(), gate.passed()), (Stand::Level, Some(6)));
        gate.place(9);
        gate.offer(7, 7);
        assert_eq!(gate.pass(9), [7], "a place is set once");
    }

    #[test]
    fn a_lost_last_change_is_a_gap_once_heard_of() {
        let mut gate = placed();
        assert_eq!(gate.stand(), Stand::Level);
        gate.hear_of(1);
        assert_eq!(gate.stand(), Stand::Gap { since: 0 });
        assert_eq!(gate.refill([(1, 1)], 1), [1]);
        assert_eq!(gate.stand(), Stand::Level);
    }

    #[test]
    fn a_refill_with_overtaken_changes_moves_past_them() {
        let mut gate = placed();
        gate.offer(4, 40);
        assert_eq!(gate.refill([(2, 2), (4, 4)], 4), [2, 40], "the waiting copy passes");
        gate.offer(3, 3);
        assert_eq!(gate.stand(), Stand::Level);
    }

    #[test]
    fn a_refill_passes_only_what_lies_between_the_place_and_its_end() {
        let mut gate = placed();
        assert_eq!(gate.refill([(1, 1), (2, 2), (3, 3)], 2), [1, 2]);
        assert_eq!(gate.refill([(2, 2)], 2), [0; 0]);
        assert_eq!(gate.refill([(2, 2), (3, 3)], 3), [3]);
        gate.offer(5, 5);
        assert_eq!(gate.refill([(4, 4)], 5), [4], "the other is overtaken");
        gate.offer(6, 6);
        assert_eq!(gate.stand(), Stand::Ready);
    }

    #[test]
    fn news_that_was_false_is_forgotten() {
        let mut gate = placed();
        gate.offer(3, 3);
        gate.hear_of(9);
        gate.give_up(1);
        assert_eq!(gate.stand(), Stand::Gap { since: 0 }, "said of another place");
        gate.give_up(0);
        assert_eq!(gate.stand(), Stand::Level);
        gate.offer(1, 1);
        gate.offer(2, 2);
        assert_eq!(gate.pass(9), [1, 2]);
        assert_eq!(gate.stand(), Stand::Level);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut gate = placed();
        for number in 2..10_000 {
            gate.offer(number, number);
        }
        assert_eq!(gate.held.len(), MAX_HELD);
        assert_eq!(gate.refill((1..=9_000).map(|n| (n, n)), 9_000).len(), 9_000);
        assert_eq!(gate.stand(), Stand::Gap { since: 9_000 }, "what was let go is not forgotten");
    }

    proptest! {
        /// Any sequence of arrivals, repeats, losses and refills passes each change once, in order.
        #[test]
        fn each_change_passes_once_and_in_order(
            arrivals in prop::collection::vec(1u64..60, 0..300),
            refill_every in 1usize..20,
            place in 0u64..10,
        ) {
            let mut gate = OrderGate::new();
            let mut out = Vec::new();
            for (i, number) in arrivals.iter().enumerate() {
                gate.offer(*number, *number);
                if i == 3 { gate.place(place); }
                out.extend(gate.pass(usize::MAX));
                if i % refill_every == 0 && let Stand::Gap { since } = gate.stand() {
                    let head = gate.heard;
                    out.extend(gate.refill((since + 1..=head).map(|n| (n, n)), head));
                }
            }
            gate.place(place);
            out.extend(gate.pass(usize::MAX));
            if let Stand::Gap { since } = gate.stand() {
                let head = gate.heard;
                out.extend(gate.refill((since + 1..=head).map(|n| (n, n)), head));
            }
            let head = arrivals.iter().copied().max().unwrap_or(0);
            prop_assert_eq!(out, (place + 1..=head).collect::<Vec<_>>());
        }
    }
}
