//! A session: one attached device. Frames in, deliveries out, no socket.
//!
//! A transport hands every text frame to [`Session::receive`] and sends what comes out of
//! [`Session::next`]. The session keeps the order that the protocol promises: the greeting first;
//! answers in the order of their commands; the changes of each conversation in the order of their
//! numbers, each once, what a resume replays before what is live.

mod attach;
mod command;
mod pipeline;
mod postponed;
mod replay;

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use chat_proto::{CloseCode, SessionId, User};
use futures::FutureExt;
use tokio::time::{Instant, sleep_until};

use crate::chat::Chat;
use crate::direct::DirectWriter;
use crate::error::ChatError;
use crate::hub::{Device, End, Floors, Item, Taken};
use crate::router::causes;
use pipeline::{Answer, Pipeline, Step};
use postponed::Postponed;
use replay::{Part, Replay};

/// The most frames handed to a transport at once.
const BATCH: usize = 64;
/// Bytes of answers from which on no further one is handed on with them.
const BATCH_BYTES: usize = 256 * 1024;

/// What a transport does next for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// Send these text frames, in this order, and flush after the last. Each is valid UTF-8, and
    /// cloning one copies a pointer.
    Frames(Vec<Bytes>),
    /// End the connection with this code. Nothing follows.
    Close(CloseCode),
}

/// One attached device. Dropping it detaches the device.
#[derive(Debug)]
pub struct Session {
    chat: Chat,
    user: User,
    device: Arc<Device>,
    /// The first frame, until it is taken.
    greeting: Option<Bytes>,
    /// Commands that are not answered yet.
    pipeline: Pipeline,
    /// What was taken from the outbox and is not sent yet.
    items: VecDeque<Item>,
    /// What the device has been told already by other means than live events. Lent to the outbox
    /// while events may be written past this session.
    floors: Floors,
    /// What is being replayed; live events wait for it. Boxed like whatever is seldom there: most
    /// sessions are idle.
    replay: Option<Box<Replay>>,
    /// What cannot be replayed while the store is away. Everything else goes on.
    postponed: Postponed,
    /// Until when live events wait for a resume.
    held_until: Option<Instant>,
    /// When the credential ends.
    expires: Option<Instant>,
    /// Whether an answer goes before what waits in the outbox, the next time.
    answers_first: bool,
    /// An answer that goes behind everything that was taken from the outbox.
    last: Option<Box<Bytes>>,
    /// Bytes of answers that the transport was given and has not written yet, as far as is known.
    handed_on: usize,
    /// The end, once its last word is said.
    closing: Option<CloseCode>,
}

impl Session {
    /// Which session this is.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.device.id
    }

    /// Whose device it is.
    #[must_use]
    pub const fn user(&self) -> &User {
        &self.user
    }

    /// Lets events be written past [`Session::next`] whenever nothing else is to be said. The
    /// greeting comes out of it in any case. Only the first writer counts.
    pub fn write_directly(&mut self, writer: Arc<dyn DirectWriter>) {
        self.device.outbox.write_by(writer);
    }

    /// Takes one text frame from the client. The answer comes out of [`Session::next`], in turn.
    pub fn receive(&mut self, text: &str) {
        self.held_until = None;
        self.pipeline.receive(text);
    }

    /// Whether the session takes frames now. When it does not, enough commands wait: read no more
    /// from the client until [`Session::next`] has returned.
    #[must_use]
    pub fn wants_frames(&self) -> bool {
        self.pipeline.has_room() && !self.device.outbox.is_ending()
    }

    /// Waits for what to do next. Safe to cancel: nothing is lost.
    ///
    /// The first is the greeting, `session.ready`.
    ///
    /// Ask again once what was returned is written: the next command begins then, and until then what
    /// was returned counts against the bound of what is kept for a client that does not read. While a
    /// write waits, ask [`Session::ended`]. Commands that have begun go on by themselves.
    pub async fn next(&mut self) -> Outgoing {
        if self.handed_on > 0 {
            self.device.outbox.release_answers(std::mem::take(&mut self.handed_on));
        }
        loop {
            if let Some(code) = self.closing {
                return Outgoing::Close(code);
            }
            if let Some(greeting) = self.greeting.take() {
                return Outgoing::Frames(vec![greeting]);
            }
            let done = match &mut self.replay {
                // Boxed, since it is rare and large.
                Some(_) => Box::pin(self.step_replay()).await,
                None => self.step_live().await,
            };
            if let Some(outgoing) = done {
                return outgoing;
            }
        }
    }

    /// Waits until the connection is to end at once, whatever waits to be sent: its login was
    /// revoked, its credential has ended, or it reads too slowly. Safe to cancel.
    ///
    /// For a transport that is stuck in a write and so cannot take what [`Session::next`] returns.
    pub async fn ended(&mut self) -> CloseCode {
        tokio::select! {
            end = self.device.outbox.ended() => end.code,
            code = expiry(self.expires) => code,
        }
    }

    /// Goes on with a replay. Everything else waits.
    async fn step_replay(&mut self) -> Option<Outgoing> {
        let patience = self.postponed.patience();
        let Self { replay, chat, user, floors, device, .. } = self;
        let replay = replay.as_mut()?;
        // A client that asked waits as for any answer; nobody waits for what came by itself.
        let patience = (!replay.was_asked_for()).then(|| Instant::now() + patience);
        tokio::select! {
            biased;
            end = device.outbox.ended() => Some(self.close(end)),
            code = expiry(self.expires) => Some(Outgoing::Close(code)),
            () = deadline(patience) => self.break_off(&ChatError::Timeout),
            step = replay.step(chat, &user.id, floors) => match step {
                Ok(frames) => {
                    self.postponed.note_progress();
                    if replay.is_done() {
                        self.replay = None;
                    }
                    (!frames.is_empty()).then_some(Outgoing::Frames(frames))
                }
                Err(error) => self.break_off(&error),
            },
        }
    }

    /// Breaks off a replay that failed. While the store is away, it waits and everything else goes
    /// on; otherwise the connection ends.
    fn break_off(&mut self, error: &ChatError) -> Option<Outgoing> {
        let replay = self.replay.take()?;
        let can_wait = replay.was_asked_for() || self.postponed.has_room();
        if error.is_store_away() && can_wait {
            match replay.break_off(error, &mut self.floors) {
                Ok(answer) => return Some(Outgoing::Frames(vec![answer])),
                Err(replay) => self.postponed.add(replay),
            }
            return None;
        }
        tracing::warn!(
            session = %self.device.id,
            error = %causes(error),
            "cannot replay what a device missed"
        );
        Some(Outgoing::Close(CloseCode::ServerFault))
    }

    /// Waits for an answer, or for something to deliver.
    async fn step_live(&mut self) -> Option<Outgoing> {
        if self.last.is_some() {
            return self.deliver_up_to_last();
        }
        if let Some(resume) = self.pipeline.take_resume() {
            let charged = self.chat.charge_resume(&self.user.id, resume.cursors.len());
            if let Err(error) = charged {
                return Some(Outgoing::Frames(vec![resume.refused(&error)]));
            }
            self.reclaim();
            self.replay = Some(Box::new(Replay::resume(resume)));
            return None;
        }
        if let Some(replay) = self.postponed.take_due(Instant::now()) {
            self.reclaim();
            self.replay = Some(Box::new(replay.go_on(&self.floors)));
            return None;
        }
        let holding = self.held_until.is_some();
        if !holding && !self.answers_first {
            if !self.items.is_empty() {
                // Who has lost the right to it is told no more of what was taken before.
                return match self.device.outbox.try_end() {
                    Some(end) => Some(self.close(end)),
                    None => self.deliver(),
                };
            }
            if let Some(taken) = self.device.outbox.try_take(self.pipeline.is_empty()) {
                return self.take(taken);
            }
        }
        let (waiting, answered) = (!self.items.is_empty(), self.pipeline.is_empty());
        if !waiting && !holding {
            // With nothing in hand, the outbox writes what is offered at once.
            self.device.outbox.lend(&mut self.floors);
        }
        // One clock for all: an idle session keeps it.
        let due = [self.expires, self.held_until, self.postponed.due()];
        tokio::select! {
            biased;
            end = self.device.outbox.ended() => return Some(self.close(end)),
            () = deadline(due.into_iter().flatten().min()) => return self.note_due(Instant::now()),
            step = self.pipeline.next() => {
                self.answers_first = false;
                match step {
                    Step::Answer(answer) => return self.answers(answer),
                    Step::Resume if self.device.outbox.is_ending() => {
                        return Some(Outgoing::Close(CloseCode::Draining));
                    }
                    Step::Resume => {}
                }
            }
            () = std::future::ready(()), if waiting && !holding => return self.deliver(),
            taken = self.device.outbox.take(answered), if !holding => return self.take(taken),
        }
        None
    }

    /// Carries out what has become due; replays that were postponed are looked for in any case.
    fn note_due(&mut self, now: Instant) -> Option<Outgoing> {
        if self.expires.is_some_and(|at| at <= now) {
            return Some(Outgoing::Close(CloseCode::TokenExpired));
        }
        self.held_until = self.held_until.filter(|until| *until > now);
        None
    }

    /// Has what is lent to the outbox back, before anything that events must wait for.
    fn reclaim(&mut self) {
        let lent = self.device.outbox.reclaim();
        self.restore(lent);
    }

    fn restore(&mut self, lent: Option<Floors>) {
        if let Some(floors) = lent {
            self.floors = floors;
        }
    }

    /// An answer, and those that are ready as well, so that they are written in one go.
    fn answers(&mut self, first: Answer) -> Option<Outgoing> {
        let mut next = Some(first);
        let (mut frames, mut bytes) = (Vec::new(), 0);
        while let Some(Answer { frame, counted, comes_last }) = next {
            bytes += frame.len();
            self.note_handed_on(frame.len(), counted);
            if comes_last {
                self.put_last(frame);
                break;
            }
            frames.push(frame);
            let has_room = frames.len() < BATCH && bytes < BATCH_BYTES;
            next = if has_room { self.pipeline.try_next() } else { None };
        }
        (!frames.is_empty()).then_some(Outgoing::Frames(frames))
    }

    /// Has an answer count until the transport asks for what comes after it.
    fn note_handed_on(&mut self, bytes: usize, counted: usize) {
        self.handed_on += bytes;
        if bytes > counted {
            self.device.outbox.hold_answers(bytes - counted);
        }
    }

    /// Puts an answer behind everything that the device is to be told until now.
    fn put_last(&mut self, answer: Bytes) {
        if let Some(Taken::Items(items, lent)) = self.device.outbox.try_take(false) {
            self.restore(lent);
            self.items.extend(items);
        }
        self.last = Some(Box::new(answer));
    }

    /// Delivers what was taken, and then the answer that was put behind it.
    fn deliver_up_to_last(&mut self) -> Option<Outgoing> {
        if let Some(end) = self.device.outbox.try_end() {
            return Some(self.close(end));
        }
        if self.items.is_empty() {
            return self.last.take().map(|answer| Outgoing::Frames(vec![*answer]));
        }
        self.deliver()
    }

    /// Takes what came out of the outbox.
    fn take(&mut self, taken: Taken) -> Option<Outgoing> {
        match taken {
            Taken::Items(items, lent) => {
                self.restore(lent);
                self.items = items;
                self.deliver()
            }
            Taken::Ended(end) => Some(self.close(end)),
        }
    }

    /// Ends with the last thing to be said, if there is one.
    fn close(&mut self, End { code, last, .. }: End) -> Outgoing {
        self.closing = Some(code);
        match last {
            Some(Item::Delivery(delivery)) => Outgoing::Frames(
                delivery.frames().iter().map(|frame| frame.text_for(&self.user.id)).collect(),
            ),
            Some(Item::Appeared { .. }) | None => Outgoing::Close(code),
        }
    }

    /// Turns what waits into frames, up to something that must be replayed first.
    fn deliver(&mut self) -> Option<Outgoing> {
        let now = Instant::now();
        let mut frames = Vec::new();
        // So that neither answers nor events wait for ever behind the other.
        self.answers_first = true;
        while frames.len() < BATCH
            && let Some(item) = self.items.pop_front()
        {
            match item {
                Item::Delivery(delivery) => {
                    let told = delivery.frames().iter().filter(|frame| {
                        // Who is told of a leaving first is told nothing that waited behind it; while
                        // the store is away, changes are held back and signals are not.
                        match (frame.tells(), frame.about()) {
                            (Some((place, number)), _) => self.floors.lets_pass(place, number, now),
                            (None, Some(place)) => {
                                !self.floors.is_barred(place) || self.postponed.tells_of(place)
                            }
                            (None, None) => true,
                        }
                    });
                    frames.extend(told.map(|frame| frame.text_for(&self.user.id)));
                }
                Item::Appeared { conversation, since, until } => {
                    // One that is postponed will tell of this, too.
                    if self.floors.needs(conversation, since)
                        && !self.postponed.tells_of(conversation)
                    {
                        let part = Part { conversation, since, until };
                        self.replay = Some(Box::new(Replay::appeared(part)));
                        break;
                    }
                }
            }
        }
        if self.items.is_empty() {
            // An idle session keeps no room for what it once had to deliver.
            self.items = VecDeque::new();
        }
        (!frames.is_empty()).then_some(Outgoing::Frames(frames))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The device may be known to others for a moment longer.
        self.device.outbox.reclaim();
        let engine = &self.chat.engine;
        let detached = engine.router.hub.detach(&self.device);
        engine.router.close(&detached.emptied);
        if detached.last {
            engine.presence.depart(&self.user.id, detached.told, Instant::now());
            engine.router.forget_user(&self.user.id);
        } else {
            engine.presence.recount(&self.user.id);
        }
    }
}

fn deadline(at: Option<Instant>) -> impl Future<Output = ()> {
    match at {
        Some(at) => sleep_until(at).left_future(),
        None => pending().right_future(),
    }
}

async fn expiry(at: Option<Instant>) -> CloseCode {
    deadline(at).await;
    CloseCode::TokenExpired
}
