use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, Waker};

use chat_proto::{CloseCode, ConversationId};

use super::Floors;
use super::delivery::{Class, Delivery};
use crate::direct::{Batch, DirectWriter};
use crate::sharded::lock;

/// The most deliveries that wait for one device.
const MAX_DELIVERIES: usize = 256;
/// The most bytes of frames that wait for one device.
const MAX_BYTES: usize = 1024 * 1024;
/// Of these bytes, what answers leave for deliveries however large they are: who reads a large answer
/// is not ended for the first message that comes meanwhile.
const LEFT_BY_ANSWERS: usize = MAX_BYTES / 4;
/// Deliveries from which on droppable ones are dropped.
const CROWDED: usize = MAX_DELIVERIES / 2;

/// Something that waits for a device.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// Frames to send.
    Delivery(Delivery),
    /// A conversation has appeared in the user's list: announce it, and replay its changes after
    /// `since` before live ones. Those after `until` will come live, if it is known.
    Appeared { conversation: ConversationId, since: u64, until: Option<u64> },
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Delivery(delivery) => delivery.bytes(),
            Self::Appeared { .. } => 0,
        }
    }

    fn class(&self) -> &Class {
        match self {
            Self::Delivery(delivery) => delivery.class(),
            Self::Appeared { .. } => &Class::Durable,
        }
    }
}

/// What comes out of an outbox.
#[derive(Debug)]
pub(crate) enum Taken {
    /// These items, in the order they went in, and the floors if they were lent. From here on nothing
    /// is written directly.
    Items(VecDeque<Item>, Option<Floors>),
    /// The device's connection ends.
    Ended(End),
}

/// How a device's connection ends.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) code: CloseCode,
    /// The last thing to be sent.
    pub(crate) last: Option<Item>,
    /// Whether what waited was dropped, and what is on its way must be, too.
    at_once: bool,
}

/// What waits for one device: bounded, so that a device that does not read costs a known amount.
///
/// Whoever offers never waits. When the bound is reached, what may be lost is dropped first; when
/// that is not enough, the device's connection is to end, and what it missed it resumes.
///
/// Answers do not wait here, but they count: what is kept for a device that does not read is bounded as
/// a whole. Since a session begins a command when the answer before is written, that is one answer, of
/// whatever size it is, and what it leaves of the bound.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Outbox {
    /// Writes past the session's task, if the transport can.
    writer: OnceLock<Arc<dyn DirectWriter>>,
    /// The queue and its end. Held for a push or a swap only.
    state: Mutex<State>,
}

/// Kept small, since every delivery goes over every receiver's: what is rare is behind a pointer.
#[derive(Debug, Default)]
struct State {
    /// The floors of a session with nothing in hand, which lends them so that what is offered can be
    /// written at once.
    lent: Option<Floors>,
    end: Option<Box<End>>,
    queue: VecDeque<Item>,
    bytes: usize,
    /// Wakes the one task that takes.
    taker: Option<Waker>,
    /// Wakes the same task where it waits for an end only.
    watcher: Option<Waker>,
    /// Bytes of answers that are not written yet.
    answers: usize,
}

impl Outbox {
    /// Writes a delivery to the device at once, if it gets what all get and nothing older waits, and
    /// adds it otherwise.
    pub(crate) fn deliver(&self, batch: &Batch<'_>, gets_own: bool) {
        let writer = self.writer.get().filter(|_| !gets_own);
        // Under the lock, so that it keeps its place among what is offered.
        let mut state = lock(&self.state);
        if !writer.is_some_and(|writer| state.write(batch, &**writer)) {
            self.add(state, Item::Delivery(batch.delivery().clone()));
        }
    }

    /// Reads ahead what is needed to write to the device. Nothing depends on it.
    pub(crate) fn read_ahead(&self) {
        if let Some(writer) = self.writer.get() {
            writer.read_ahead();
        }
    }

    /// What can write past the session's task, from when the session lends its floors. Said once.
    pub(crate) fn write_by(&self, writer: Arc<dyn DirectWriter>) {
        let _ = self.writer.set(writer);
    }

    /// Takes the floors, and lets what is offered from now on be written at once, if that is possible
    /// and nothing waits.
    pub(crate) fn lend(&self, floors: &mut Floors) {
        if self.writer.get().is_none() {
            return;
        }
        let mut state = lock(&self.state);
        if state.lent.is_none() && state.queue.is_empty() && state.end.is_none() {
            state.lent = Some(std::mem::take(floors));
        }
    }

    /// Ends that, if it has not ended before.
    pub(crate) fn reclaim(&self) -> Option<Floors> {
        lock(&self.state).lent.take()
    }

    /// Counts bytes of answers that wait for the device.
    pub(crate) fn hold_answers(&self, bytes: usize) {
        lock(&self.state).answers += bytes;
    }

    /// Counts them no more: they are written.
    pub(crate) fn release_answers(&self, bytes: usize) {
        let mut state = lock(&self.state);
        state.answers = state.answers.saturating_sub(bytes);
    }

    /// Adds an item, unless the connection is to end.
    pub(crate) fn offer(&self, item: Item) {
        self.add(lock(&self.state), item);
    }

    fn add(&self, mut state: MutexGuard<'_, State>, item: Item) {
        if state.end.is_some() || !state.admit(item) {
            return;
        }
        if state.end.is_some() {
            self.note_end(state);
        } else {
            let taker = state.taker.take();
            drop(state);
            wake(taker);
        }
    }

    /// What waits is dropped, and whoever takes is told.
    fn note_end(&self, mut state: MutexGuard<'_, State>) {
        let (taker, watcher) = (state.taker.take(), state.watcher.take());
        drop(state);
        if let Some(writer) = self.writer.get() {
            writer.drop_unbegun();
        }
        wake(taker);
        wake(watcher);
    }

    /// Ends the connection after what waits has been sent.
    pub(crate) fn end(&self, code: CloseCode) {
        let end = End { code, last: None, at_once: false };
        let mut state = lock(&self.state);
        state.end.get_or_insert_with(|| Box::new(end));
        let taker = state.taker.take();
        drop(state);
        wake(taker);
    }

    /// Ends the connection with one last item; what waits is dropped.
    pub(crate) fn end_at_once(&self, last: Option<Item>, code: CloseCode) {
        let mut state = lock(&self.state);
        state.end_at_once(last, code);
        self.note_end(state);
    }

    /// Takes all there is. An end is there from when `answered`: a server that drains still answers
    /// what it was asked.
    pub(crate) fn try_take(&self, answered: bool) -> Option<Taken> {
        lock(&self.state).take(answered)
    }

    /// Waits for something and takes all there is. Safe to cancel.
    pub(crate) fn take(&self, answered: bool) -> impl Future<Output = Taken> {
        poll_fn(move |cx| {
            let mut state = lock(&self.state);
            let taken = state.take(answered);
            wait(&mut state.taker, taken, cx)
        })
    }

    /// Whether the connection is to end, now or after what waits.
    pub(crate) fn is_ending(&self) -> bool {
        lock(&self.state).end.is_some()
    }

    /// The end, if the connection is to end at once.
    pub(crate) fn try_end(&self) -> Option<End> {
        lock(&self.state).ended()
    }

    /// Waits until the connection is to end at once. Safe to cancel.
    pub(crate) fn ended(&self) -> impl Future<Output = End> {
        poll_fn(|cx| {
            let mut state = lock(&self.state);
            let end = state.ended();
            wait(&mut state.watcher, end, cx)
        })
    }
}

/// What is there, or else a note of whom to wake.
fn wait<T>(waiter: &mut Option<Waker>, there: Option<T>, cx: &Context<'_>) -> Poll<T> {
    if let Some(there) = there {
        return Poll::Ready(there);
    }
    match waiter {
        Some(waiter) => waiter.clone_from(cx.waker()),
        none => *none = Some(cx.waker().clone()),
    }
    Poll::Pending
}

fn wake(waiter: Option<Waker>) {
    if let Some(waiter) = waiter {
        waiter.wake();
    }
}

impl State {
    /// Writes a delivery at once. False if it has to be taken as any other.
    fn write(&mut self, batch: &Batch<'_>, writer: &dyn DirectWriter) -> bool {
        let Some(floors) = &mut self.lent else { return false };
        if !self.queue.is_empty() || self.end.is_some() {
            return false;
        }
        // Where the first change is news, so are those that follow it.
        let is_news = batch
            .first()
            .is_none_or(|(place, number)| floors.lets_pass(place, number, batch.now()));
        is_news && batch.write_to(writer)
    }

    /// Makes room for an item and adds it; false when it was dropped.
    fn admit(&mut self, item: Item) -> bool {
        match item.class() {
            Class::Droppable if self.queue.len() >= CROWDED => return false,
            Class::Latest(subject) => {
                // Taken out, and not replaced where it is: what a state has counted comes before it.
                let older = self.queue.iter().position(
                    |other| matches!(other.class(), Class::Latest(other) if other == subject),
                );
                if let Some(older) = older.and_then(|place| self.queue.remove(place)) {
                    self.bytes -= older.bytes();
                }
            }
            Class::Droppable | Class::Several | Class::Durable => {}
        }
        if !self.has_room_for(&item) {
            self.drop_ephemeral();
        }
        if self.has_room_for(&item) {
            self.bytes += item.bytes();
            self.queue.push_back(item);
            return true;
        }
        if matches!(item.class(), Class::Durable) {
            self.end_at_once(None, CloseCode::SlowReader);
            return true;
        }
        false
    }

    fn has_room_for(&self, item: &Item) -> bool {
        let answers = self.answers.min(MAX_BYTES - LEFT_BY_ANSWERS);
        // A single delivery over the bound is let into an empty queue, or it could never be sent.
        self.queue.is_empty()
            || (self.queue.len() < MAX_DELIVERIES
                && answers + self.bytes + item.bytes() <= MAX_BYTES)
    }

    fn drop_ephemeral(&mut self) {
        self.queue.retain(|item| matches!(item.class(), Class::Durable));
        self.bytes = self.queue.iter().map(Item::bytes).sum();
    }

    fn end_at_once(&mut self, last: Option<Item>, code: CloseCode) {
        if self.end.as_ref().is_none_or(|end| !end.at_once) {
            self.queue = VecDeque::new();
            self.bytes = 0;
            self.lent = None;
            self.end = Some(Box::new(End { code, last, at_once: true }));
        }
    }

    fn ended(&self) -> Option<End> {
        self.end.as_deref().filter(|end| end.at_once).cloned()
    }

    fn take(&mut self, answered: bool) -> Option<Taken> {
        if self.queue.is_empty() {
            let end = self.end.as_deref()?;
            let is_time = answered || end.code != CloseCode::Draining;
            return is_time.then(|| Taken::Ended(end.clone()));
        }
        self.bytes = 0;
        Some(Taken::Items(std::mem::take(&mut self.queue), self.lent.take()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use chat_proto::{PresenceEntry, PresenceStatus, SignalEvent, UserId};
    use futures::FutureExt;

    use super::super::delivery::Frame;
    use super::*;

    fn typing() -> Item {
        let event = SignalEvent::TypingStarted {
            conversation_id: ConversationId::generate(),
            user_id: UserId::generate(),
            version: 1,
        };
        Item::Delivery(Delivery::signal(&event, None))
    }

    fn presence(user: &UserId, status: PresenceStatus) -> Item {
        let user_id = user.clone();
        let entry = PresenceEntry { user_id, status, last_seen_at: None, version: 1 };
        Item::Delivery(Delivery::signal(&SignalEvent::PresenceChanged(entry), None))
    }

    fn durable() -> Item {
        Item::Delivery(Delivery::signal(&SignalEvent::SessionRevoked {}, None))
    }

    /// Counts how often a task is woken.
    #[derive(Debug, Default)]
    struct Woken(AtomicUsize);

    impl Woken {
        fn times(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn count(outbox: &Outbox) -> usize {
        match outbox.try_take(true) {
            Some(Taken::Items(items, _)) => items.len(),
            _ => 0,
        }
    }

    fn ending(outbox: &Outbox) -> Option<CloseCode> {
        lock(&outbox.state).end.as_ref().map(|end| end.code)
    }

    #[test]
    fn ephemeral_items_make_way_and_only_then_the_connection_ends() {
        let outbox = Outbox::default();
        for _ in 0..CROWDED + 20 {
            outbox.offer(typing());
        }
        for _ in 0..MAX_DELIVERIES {
            outbox.offer(durable());
        }
        assert_eq!(ending(&outbox), None, "typing made way for all that must not be lost");
        outbox.offer(typing());
        assert_eq!(ending(&outbox), None, "typing is dropped, not a reason to end");
        outbox.offer(durable());
        assert_eq!(ending(&outbox), Some(CloseCode::SlowReader));
        assert!(matches!(outbox.try_take(true), Some(Taken::Ended(_))));
        assert!(outbox.ended().now_or_never().is_some());
    }

    #[test]
    fn bytes_are_bounded_too() {
        let outbox = Outbox::default();
        let big = "x".repeat(64 * 1024);
        let frame = Frame::signal(&SignalEvent::SessionRevoked {}, None);
        let item = || {
            let delivery = Delivery::counted(frame.clone(), big.len());
            Item::Delivery(delivery)
        };
        for _ in 0..MAX_BYTES / big.len() {
            outbox.offer(item());
        }
        assert_eq!(ending(&outbox), None);
        outbox.offer(item());
        assert_eq!(ending(&outbox), Some(CloseCode::SlowReader));
    }

    #[test]
    fn answers_count_and_leave_a_part_to_deliveries() {
        let frame = Frame::signal(&SignalEvent::SessionRevoked {}, None);
        let size = 64 * 1024;
        for (answers, expected) in
            [(0, 16), (MAX_BYTES / 2, 8), (MAX_BYTES * 3 / 4, 4), (MAX_BYTES * 10, 4)]
        {
            let outbox = Outbox::default();
            outbox.hold_answers(answers);
            let mut taken = 0;
            while ending(&outbox).is_none() {
                outbox.offer(Item::Delivery(Delivery::counted(frame.clone(), size)));
                taken += 1;
            }
            assert_eq!(taken - 1, expected, "beside {answers} bytes of answers");
        }
        let outbox = Outbox::default();
        outbox.hold_answers(MAX_BYTES);
        outbox.release_answers(MAX_BYTES);
        for _ in 0..16 {
            outbox.offer(Item::Delivery(Delivery::counted(frame.clone(), size)));
        }
        assert_eq!(ending(&outbox), None, "what is written does not count");
    }

    #[test]
    fn a_state_is_replaced_by_a_newer_one() {
        let outbox = Outbox::default();
        let user = UserId::generate();
        outbox.offer(presence(&user, PresenceStatus::Online));
        outbox.offer(presence(&UserId::generate(), PresenceStatus::Online));
        outbox.offer(presence(&user, PresenceStatus::Offline));
        assert_eq!(count(&outbox), 2);
    }

    #[test]
    fn what_waits_is_taken_before_the_end() {
        let outbox = Outbox::default();
        outbox.offer(durable());
        outbox.end(CloseCode::Draining);
        outbox.offer(durable());
        assert_eq!(count(&outbox), 1);
        let Some(Taken::Ended(end)) = outbox.try_take(true) else { panic!("ended") };
        assert_eq!(end.code, CloseCode::Draining);
        assert!(outbox.ended().now_or_never().is_none(), "not at once");
    }

    #[test]
    fn an_end_at_once_leaves_only_its_last_item() {
        let outbox = Outbox::default();
        for _ in 0..10 {
            outbox.offer(durable());
        }
        outbox.end(CloseCode::Draining);
        outbox.end_at_once(Some(durable()), CloseCode::SessionRevoked);
        let end = outbox.ended().now_or_never().unwrap();
        assert_eq!((end.code, end.last.is_some()), (CloseCode::SessionRevoked, true));
        assert!(matches!(outbox.try_take(true), Some(Taken::Ended(_))));
    }

    #[test]
    fn from_half_full_on_what_may_be_lost_is_dropped() {
        let outbox = Outbox::default();
        for _ in 0..CROWDED - 1 {
            outbox.offer(durable());
        }
        outbox.offer(typing());
        outbox.offer(typing());
        outbox.offer(presence(&UserId::generate(), PresenceStatus::Online));
        assert_eq!(count(&outbox), CROWDED + 1, "one of two who type, and a state");
    }

    #[test]
    fn a_state_that_is_replaced_counts_once() {
        let outbox = Outbox::default();
        let user = UserId::generate();
        for _ in 0..20_000 {
            outbox.offer(presence(&user, PresenceStatus::Online));
        }
        outbox.offer(durable());
        assert_eq!(count(&outbox), 2, "the state need not make way");
    }

    #[test]
    fn the_first_end_stands_but_for_one_at_once() {
        let outbox = Outbox::default();
        assert!(!outbox.is_ending());
        assert!(outbox.try_end().is_none());
        outbox.end(CloseCode::Draining);
        outbox.end(CloseCode::SlowReader);
        assert_eq!(ending(&outbox), Some(CloseCode::Draining));
        assert!(outbox.is_ending());
        assert!(outbox.try_end().is_none(), "what waits is sent first");
        outbox.end_at_once(None, CloseCode::SessionRevoked);
        outbox.end_at_once(Some(durable()), CloseCode::SlowReader);
        let end = outbox.try_end().unwrap();
        assert_eq!((end.code, end.last.is_some()), (CloseCode::SessionRevoked, false));
    }

    #[test]
    fn a_server_that_drains_answers_first() {
        let outbox = Outbox::default();
        outbox.end(CloseCode::Draining);
        assert!(outbox.try_take(false).is_none());
        assert!(matches!(outbox.try_take(true), Some(Taken::Ended(_))));
        let outbox = Outbox::default();
        outbox.end(CloseCode::TokenExpired);
        assert!(matches!(outbox.try_take(false), Some(Taken::Ended(_))));
    }

    #[test]
    fn whoever_waits_is_woken_by_an_item_and_by_an_end() {
        let outbox = Outbox::default();
        let (mut taking, woken) = (outbox.take(true), Arc::new(Woken::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        assert!(taking.poll_unpin(&mut context).is_pending());
        outbox.offer(durable());
        assert_eq!(woken.times(), 1);
        assert!(taking.poll_unpin(&mut context).is_ready());
        let (mut taking, mut ending) = (outbox.take(true), outbox.ended());
        assert!(taking.poll_unpin(&mut context).is_pending());
        assert!(ending.poll_unpin(&mut context).is_pending());
        outbox.end_at_once(None, CloseCode::SessionRevoked);
        assert_eq!(woken.times(), 3, "who takes, and who waits for the end");
        assert!(taking.poll_unpin(&mut context).is_ready());
        assert!(ending.poll_unpin(&mut context).is_ready());
    }
}
