//! A lane's task: from the gate to the devices.

use std::sync::Arc;
use std::time::Duration;

use chat_proto::{ChangeEvent, UserId};
use tokio::time::Instant;

use super::lane::{Change, Lane, Work};
use super::{Router, causes};
use crate::hub::{Delivery, Frame, Hub, Item, Unsubscribed};
use crate::within::within;

/// The most changes that travel as one delivery.
const BATCH: usize = 64;
/// The most changes read from the store at once.
const REFILL: usize = 256;
/// The first pause before another try while the store does not answer.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long what is being told of a conversation is waited for before who has left is told so. It is a
/// matter of microseconds: nothing of it waits.
const UNDER_WAY: Duration = Duration::from_millis(100);
/// The longest pause between tries while the store does not answer.
const MAX_PAUSE: Duration = Duration::from_secs(2);

impl Router {
    /// Starts the task of a lane whose caller was told to.
    pub(super) fn run(self: &Arc<Self>, lane: Arc<Lane>) {
        let router = Arc::clone(self);
        self.tasks.spawn("lane", async move { router.drive(&lane).await });
    }

    /// Delivers what passes the gate, fills its gaps, and ends when there is nothing to do.
    async fn drive(self: &Arc<Self>, lane: &Arc<Lane>) {
        let _stopped = StopOnDrop(lane);
        let mut pause = FIRST_PAUSE;
        loop {
            // Lets what arrives at the same moment join the batch.
            tokio::task::yield_now().await;
            let done = match lane.next(BATCH) {
                Work::Rest => return,
                Work::Deliver(changes) => {
                    self.deliver(lane, &changes).await;
                    Ok(())
                }
                Work::Refill { since } => self.refill(lane, since).await,
            };
            match done {
                Ok(()) => pause = FIRST_PAUSE,
                Err(_) if self.tasks.stopping() || !self.hub.has_room(lane.conversation) => {
                    lane.stop();
                    return;
                }
                Err(error) => {
                    // Once for each time that it goes away: many lanes may wait for one store.
                    if pause == FIRST_PAUSE && !error.is_refusal() {
                        tracing::warn!(
                            conversation = %lane.conversation,
                            error = %causes(&error),
                            "cannot read what is missing, will try again"
                        );
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    /// Fills a gap: by a late arrival if one comes soon, and from the store otherwise.
    async fn refill(self: &Arc<Self>, lane: &Lane, since: u64) -> Result<(), crate::ChatError> {
        let patience = Duration::from_millis(self.config.gap_patience_ms);
        let deadline = tokio::time::Instant::now() + patience;
        while lane.next_gap() == Some(since) && tokio::time::Instant::now() < deadline {
            let _ = tokio::time::timeout_at(deadline, lane.arrival()).await;
        }
        // Far behind, the next page follows at once.
        let mut since = since;
        while lane.next_gap() == Some(since) {
            let reading = self.messages.changes(lane.conversation, since, REFILL);
            let changes = within(self.config.call_timeout(), reading).await?;
            changes.events.iter().for_each(|event| self.news.change(event));
            let through = changes.through;
            let passed = lane.refill(changes.events, through);
            tracing::debug!(conversation = %lane.conversation, since, through, "filled a gap");
            self.deliver(lane, &passed).await;
            if through <= since {
                if changes.complete {
                    lane.give_up(since);
                }
                return Ok(());
            }
            if changes.complete {
                return Ok(());
            }
            since = through;
        }
        Ok(())
    }

    /// Offers changes to the devices, and follows what they say of who is a member.
    async fn deliver(self: &Arc<Self>, lane: &Lane, changes: &[Change]) {
        let mut frames = Vec::with_capacity(changes.len());
        let mut closed = false;
        for change in changes {
            if let ChangeEvent::MemberJoined { member, change_seq, .. } = &change.event {
                // Before the frame, so that the user's own devices are told of it, too.
                self.appear_here(&member.member.user_id, lane.conversation, *change_seq);
            }
            if closed {
                // Nobody was left. If somebody is there again, it is by a lane of its own.
                self.enter(change.clone());
                continue;
            }
            let frame = Frame::change(&change.event, change.origin.as_ref());
            if let ChangeEvent::MemberLeft { member, change_seq, .. } = &change.event {
                self.fan_out(lane, &mut frames);
                closed = self.disappear(lane, frame, &member.member.user_id, *change_seq).await;
            } else {
                frames.push(frame);
            }
        }
        self.fan_out(lane, &mut frames);
    }

    /// Ends the subscription of a user who left and tells of it: to the user's devices it is the last
    /// that they are told of the conversation. Returns whether nobody is left here.
    async fn disappear(&self, lane: &Lane, frame: Frame, user: &UserId, left: u64) -> bool {
        let conversation = lane.conversation;
        let telling = Delivery::changes(vec![frame]);
        let unsubscribed = self.hub.unsubscribe(user, conversation, left);
        if let Unsubscribed::Done { devices, under_way, .. } = &unsubscribed {
            let deadline = Instant::now() + UNDER_WAY;
            while !under_way.is_over() && Instant::now() < deadline {
                tokio::task::yield_now().await;
            }
            Hub::deliver_to_devices(devices, &telling);
        }
        self.hub.fan_out(conversation, &telling, None);
        match unsubscribed {
            Unsubscribed::Done { emptied: true, .. } => {
                self.close(&[conversation]);
                true
            }
            Unsubscribed::JoinedAgain { joined, devices } => {
                // To the user's devices it is a conversation that appears anew.
                let since = joined - 1;
                for device in devices {
                    device.outbox.offer(Item::Appeared { conversation, since, until: Some(since) });
                }
                false
            }
            Unsubscribed::Done { emptied: false, .. } | Unsubscribed::Unknown => false,
        }
    }

    fn fan_out(&self, lane: &Lane, frames: &mut Vec<Frame>) {
        // A refill may bring more than a batch.
        while !frames.is_empty() {
            let rest = frames.split_off(frames.len().min(BATCH));
            let batch = std::mem::replace(frames, rest);
            self.hub.fan_out(lane.conversation, &Delivery::changes(batch), None);
        }
    }
}

/// Lets the next arrival start a new task, should this one end by a panic.
struct StopOnDrop<'a>(&'a Lane);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}
