//! The order of a conversation's changes.

use chat_core::parts::OrderGate;
use chat_core::proto::ChangeEvent;
use gungraun::{library_benchmark, library_benchmark_group};

use crate::frames::message_created;

/// As many changes as a gate holds back at most.
const CHANGES: u64 = 256;
/// As many as travel as one delivery.
const BATCH: usize = 64;

type Gate = OrderGate<ChangeEvent>;
/// What has passed, with room for it.
type Batches = Vec<Vec<ChangeEvent>>;

fn batches() -> Batches {
    Vec::with_capacity(usize::try_from(CHANGES).expect("a small number"))
}

fn in_order() -> Vec<ChangeEvent> {
    (1..=CHANGES).map(message_created).collect()
}

fn backwards() -> Vec<ChangeEvent> {
    (1..=CHANGES).rev().map(message_created).collect()
}

// Each change arrives, and what can pass does, as on a node that hears of them one by one.
#[library_benchmark]
#[bench::in_order(in_order(), batches())]
#[bench::backwards(backwards(), batches())]
fn pass_each(changes: Vec<ChangeEvent>, mut batches: Batches) -> (Gate, Batches) {
    let mut gate = Gate::placed(0);
    for change in changes {
        gate.offer(change.change_seq(), change);
        while let batch = gate.pass(BATCH)
            && !batch.is_empty()
        {
            batches.push(batch);
        }
    }
    (gate, batches)
}

library_benchmark_group!(name = order_gate, benchmarks = [pass_each]);
