use std::sync::Mutex;

use chat_proto::{ChangeEvent, ConversationId};
use tokio::sync::Notify;

use super::gate::{OrderGate, Stand};
use crate::hub::Origin;
use crate::sharded::lock;

/// A change on its way to this node's devices.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) event: ChangeEvent,
    pub(super) origin: Option<Origin>,
}

/// What a lane's task does next.
#[derive(Debug)]
pub(super) enum Work {
    /// Deliver these, in order.
    Deliver(Vec<Change>),
    /// Read what is missing after this change.
    Refill { since: u64 },
    /// Nothing; the task ends.
    Rest,
}

/// One conversation's way through this node: its gate, and whether its task runs.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(super) conversation: ConversationId,
    /// The gate, and who runs. Held for a few lines.
    state: Mutex<State>,
    /// Wakes a task that waits for a gap to be filled by a late arrival.
    arrived: Notify,
    /// Wakes whoever waits until a change was delivered.
    told: Notify,
}

#[derive(Debug)]
struct State {
    gate: OrderGate<Change>,
    running: bool,
    open: bool,
    /// Up to which change what passed was delivered, as far as the lane's task has said.
    delivered: Option<u64>,
    /// Whether another lane may have taken over: this one delivers nothing more.
    closed: bool,
}

impl Lane {
    /// A lane whose place is not known yet, or after a change before which nothing is of interest
    /// here.
    pub(super) fn new(conversation: ConversationId, place: Option<u64>) -> Self {
        let mut gate = OrderGate::new();
        if let Some(place) = place {
            gate.place(place);
        }
        let state = State { gate, running: false, open: false, delivered: None, closed: false };
        Self { conversation, state: Mutex::new(state), arrived: Notify::new(), told: Notify::new() }
    }

    /// Takes a change; returns whether the caller must start the lane's task.
    pub(super) fn offer(&self, change: Change) -> bool {
        let start = self.update(|gate| gate.offer(change.event.change_seq(), change));
        self.arrived.notify_one();
        start
    }

    /// Hears how far the conversation has come; returns whether to start the lane's task.
    pub(super) fn hear_of(&self, change_seq: u64) -> bool {
        self.update(|gate| gate.hear_of(change_seq))
    }

    /// The last change that passed; none before the lane has its place.
    pub(super) fn passed(&self) -> Option<u64> {
        lock(&self.state).gate.passed()
    }

    /// The last change that was delivered to whoever was there.
    pub(super) fn delivered(&self) -> Option<u64> {
        let state = lock(&self.state);
        if state.running { state.delivered } else { state.gate.passed() }
    }

    /// Waits until a change was delivered to whoever was there, or the lane has ended. Safe to cancel.
    pub(super) async fn until_told(&self, change_seq: u64) {
        loop {
            let told = self.told.notified();
            let is_closed = lock(&self.state).closed;
            if is_closed || self.delivered().is_some_and(|delivered| delivered >= change_seq) {
                return;
            }
            told.await;
        }
    }

    /// Notes that the lane is heard from the broker, and was compared with the store after that:
    /// it misses nothing that it would not notice. Returns whether to start the lane's task.
    pub(super) fn open(&self, head: u64) -> bool {
        let start = self.update(|gate| {
            gate.place(head);
            gate.hear_of(head);
        });
        lock(&self.state).open = true;
        self.arrived.notify_one();
        self.told.notify_waiters();
        start
    }

    pub(super) fn is_open(&self) -> bool {
        lock(&self.state).open
    }

    /// Adds what a store answered, and returns what passes.
    pub(super) fn refill(&self, events: Vec<ChangeEvent>, through: u64) -> Vec<Change> {
        let changes =
            events.into_iter().map(|e| (e.change_seq(), Change { event: e, origin: None }));
        let mut state = lock(&self.state);
        if state.closed { Vec::new() } else { state.gate.refill(changes, through) }
    }

    /// Ends the lane: nobody here is told of the conversation.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.arrived.notify_one();
        self.told.notify_waiters();
    }

    /// What to do next. After [`Work::Rest`] the task must end: the next arrival starts another.
    pub(super) fn next(&self, max: usize) -> Work {
        let mut state = lock(&self.state);
        if state.closed {
            return Work::Rest;
        }
        // Who asks for more has delivered what passed.
        state.delivered = state.gate.passed();
        self.told.notify_waiters();
        match state.gate.stand() {
            Stand::Ready => Work::Deliver(state.gate.pass(max)),
            Stand::Gap { since } => Work::Refill { since },
            // Who opens a lane places it; before, its task has nothing to do.
            Stand::Level | Stand::Unplaced => {
                state.running = false;
                Work::Rest
            }
        }
    }

    /// The change before the gap, while there is a gap.
    pub(super) fn next_gap(&self) -> Option<u64> {
        let state = lock(&self.state);
        match state.gate.stand() {
            Stand::Gap { since } if !state.closed => Some(since),
            _ => None,
        }
    }

    /// Forgets changes that were heard of but are not in the store: news of them was false.
    pub(super) fn give_up(&self, since: u64) {
        lock(&self.state).gate.give_up(since);
    }

    /// Marks the task as ended, whatever is left.
    pub(super) fn stop(&self) {
        lock(&self.state).running = false;
        // Nobody else would tell those who wait for what it does not tell.
        self.told.notify_waiters();
    }

    /// Waits for an arrival. Safe to cancel.
    pub(super) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    fn update(&self, change: impl FnOnce(&mut OrderGate<Change>)) -> bool {
        let mut state = lock(&self.state);
        change(&mut state.gate);
        let idle = matches!(state.gate.stand(), Stand::Level | Stand::Unplaced);
        !idle && !std::mem::replace(&mut state.running, true)
    }
}
