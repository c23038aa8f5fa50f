//! A session's commands, from frame to answer.
//!
//! Sends that follow one another are put in line at once, or as soon as all nodes have counted them,
//! and answered as they are stored, so a client may send the next before the last is durable. Any
//! other command begins only when all before it are answered and the transport asks for more, and
//! what comes after it waits: so a client may send `conversation.join` and `message.send` in one go.
//!
//! What has begun goes on by itself, as a task, whether or not the transport asks for its answer: it
//! holds a connection of the store, which others wait for, and must not depend on a client's reading.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use chat_proto::{
    ClientFrame, Command, ErrorCode, ErrorPayload, FrameId, MessageSend, Reply, ServerFrame,
};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::command;
use super::replay::Resume;
use crate::chat::{Actor, Chat};
use crate::error::ChatError;
use crate::hub::Device;
use crate::limit::Counted;
use crate::router::causes;
use crate::tasks::Running;

/// Commands that wait or run, from which on no more are read.
const MAX_COMMANDS: usize = 64;

/// Commands in the order in which they came.
pub(super) struct Pipeline {
    chat: Chat,
    actor: Actor,
    device: Arc<Device>,
    slots: VecDeque<Slot>,
}

/// What came out of a pipeline.
#[derive(Debug)]
pub(super) enum Step {
    /// An answer.
    Answer(Answer),
    /// It is a resume's turn: [`Pipeline::take_resume`] has it.
    Resume,
}

/// An answer, encoded.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) frame: Bytes,
    /// How many bytes of it the outbox has counted already.
    pub(super) counted: usize,
    /// Whether it goes behind all that the device has been told until now.
    pub(super) comes_last: bool,
}

enum Slot {
    /// Waits for those before it.
    Waiting(ClientFrame),
    /// Answered already.
    Answered(Answer),
    /// A send that all nodes count, before it has its place in line.
    Counting(Running<Result<(), Duration>>, Option<FrameId>, MessageSend),
    /// A send that has its place in line.
    Sending(BoxFuture<'static, Answer>),
    /// Any other command, at the front, being carried out.
    Running(Running<Answer>, Option<FrameId>),
}

impl Pipeline {
    pub(super) const fn new(chat: Chat, actor: Actor, device: Arc<Device>) -> Self {
        Self { chat, actor, device, slots: VecDeque::new() }
    }

    pub(super) fn has_room(&self) -> bool {
        self.slots.len() < MAX_COMMANDS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes a frame. A send is put in line at once if only sends are before it.
    pub(super) fn receive(&mut self, text: &str) {
        let slot = match ClientFrame::decode(text) {
            Ok(frame) => Slot::Waiting(frame),
            Err(error) => {
                Slot::Answered(ServerFrame::Error { id: error.id, payload: error.into() }.into())
            }
        };
        self.slots.push_back(slot);
        self.start_sends();
    }

    /// Puts in line the sends that have nothing but sends before them.
    fn start_sends(&mut self) {
        for slot in &mut self.slots {
            match slot {
                Slot::Counting(..) | Slot::Sending(_) | Slot::Answered(_) => {}
                Slot::Waiting(ClientFrame { command: Command::MessageSend(_), .. }) => {
                    let Slot::Waiting(frame) = std::mem::replace(slot, Slot::empty()) else {
                        continue;
                    };
                    *slot = begin_send(&self.chat, &self.actor, frame);
                }
                Slot::Waiting(_) | Slot::Running(..) => return,
            }
        }
    }

    /// Takes a resume whose turn it is.
    pub(super) fn take_resume(&mut self) -> Option<Resume> {
        let at_front = matches!(
            self.slots.front(),
            Some(Slot::Waiting(ClientFrame { command: Command::Resume { .. }, .. }))
        );
        if !at_front {
            return None;
        }
        match self.slots.pop_front() {
            Some(Slot::Waiting(ClientFrame { id, command: Command::Resume { cursors } })) => {
                self.start_sends();
                Some(Resume { id, cursors: cursors.into_iter().collect() })
            }
            _ => None,
        }
    }

    /// Puts sends in line whose turn it is to be counted, and asks for the answer of the first slot.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Answer> {
        for slot in &mut self.slots {
            match slot {
                Slot::Answered(_) | Slot::Sending(_) => {}
                Slot::Counting(counting, ..) => {
                    let Poll::Ready(counted) = counting.poll_unpin(context) else { break };
                    let Slot::Counting(_, id, message) = std::mem::replace(slot, Slot::empty())
                    else {
                        break;
                    };
                    *slot = match counted {
                        Some(Ok(())) => send(&self.chat, &self.actor, id, message),
                        Some(Err(retry_after)) => {
                            refused(id, ChatError::RateLimited { retry_after })
                        }
                        None => Slot::Answered(broken_off(id)),
                    };
                }
                Slot::Waiting(_) | Slot::Running(..) => break,
            }
        }
        match self.slots.front_mut() {
            Some(Slot::Sending(answer)) => answer.poll_unpin(context),
            Some(Slot::Running(answer, id)) => {
                let id = *id;
                answer.poll_unpin(context).map(|answer| answer.unwrap_or_else(|| broken_off(id)))
            }
            Some(Slot::Answered(answer)) => Poll::Ready(answer.clone()),
            Some(Slot::Counting(..) | Slot::Waiting(_)) | None => Poll::Pending,
        }
    }

    /// Waits for the next answer, for ever when there is no command. Begins the next command if none
    /// is under way. Safe to cancel.
    pub(super) async fn next(&mut self) -> Step {
        let Some(front) = self.slots.front_mut() else {
            return std::future::pending().await;
        };
        if let Slot::Waiting(frame) = front {
            if matches!(frame.command, Command::Resume { .. }) {
                return Step::Resume;
            }
            let Slot::Waiting(frame) = std::mem::replace(front, Slot::empty()) else {
                return std::future::pending().await;
            };
            *front = begin(&self.chat, &self.actor, &self.device, frame);
        }
        let answer = std::future::poll_fn(|context| self.poll(context)).await;
        self.finish_first();
        Step::Answer(answer)
    }

    /// The next answer, if it is there. Begins nothing.
    pub(super) fn try_next(&mut self) -> Option<Answer> {
        let answer = std::future::poll_fn(|context| self.poll(context)).now_or_never()?;
        self.finish_first();
        Some(answer)
    }

    /// Removes the first command, which is answered, and puts in line the sends that waited for it.
    fn finish_first(&mut self) {
        self.slots.pop_front();
        self.start_sends();
    }
}

impl Slot {
    /// Stands in for a slot that is being changed.
    fn empty() -> Self {
        Self::Answered(Answer::default())
    }
}

impl From<ServerFrame> for Answer {
    fn from(frame: ServerFrame) -> Self {
        Self { frame: frame.encode().into(), ..Self::default() }
    }
}

/// Begins a send: counts it, and puts it in line if that is known at once.
fn begin_send(chat: &Chat, actor: &Actor, frame: ClientFrame) -> Slot {
    let ClientFrame { id, command: Command::MessageSend(message) } = frame else {
        return Slot::Waiting(frame);
    };
    match chat.count_send(actor) {
        Ok(Counted::Allowed) => send(chat, actor, id, message),
        Ok(Counted::Asking(counting)) => {
            Slot::Counting(chat.start("session.count", counting), id, message)
        }
        Err(error) => refused(id, error),
    }
}

/// Puts a send in line that was counted.
fn send(chat: &Chat, actor: &Actor, id: Option<FrameId>, message: MessageSend) -> Slot {
    match chat.begin_send(actor, message) {
        Ok(sending) => {
            let chat = chat.clone();
            Slot::Sending(Box::pin(async move {
                let sent = chat.finish_send(sending).await;
                let sent = sent.map(|sent| Reply::Sent {
                    message: sent.message,
                    repeated: sent.repeated,
                    recipient_online: sent.recipient_online,
                });
                answer(id, sent).into()
            }))
        }
        Err(error) => refused(id, error),
    }
}

fn refused(id: Option<FrameId>, error: ChatError) -> Slot {
    Slot::Answered(answer(id, Err(error)).into())
}

/// Begins any other command. What it does not do at once it does as a task.
fn begin(
    chat: &Chat,
    actor: &Actor,
    device: &Arc<Device>,
    ClientFrame { id, command }: ClientFrame,
) -> Slot {
    // Who has left a room is told nothing more of it.
    let comes_last = matches!(command, Command::ConversationLeave { .. });
    let (runner, actor, device) = (chat.clone(), actor.clone(), Arc::clone(device));
    let mut work = Box::pin(async move {
        let frame = answer(id, command::carry_out(&runner, &actor, command).await);
        let frame = Bytes::from(frame.encode());
        let counted = frame.len();
        device.outbox.hold_answers(counted);
        Answer { frame, counted, comes_last }
    });
    match (&mut work).now_or_never() {
        Some(answer) => Slot::Answered(answer),
        None => Slot::Running(chat.start("session.command", work), id),
    }
}

/// The answer to a command whose task broke off.
fn broken_off(id: Option<FrameId>) -> Answer {
    let payload = ErrorPayload::new(ErrorCode::Internal, "the server failed to carry this out");
    ServerFrame::Error { id, payload }.into()
}

fn answer(id: Option<FrameId>, outcome: Result<Reply, ChatError>) -> ServerFrame {
    match outcome {
        Ok(reply) => ServerFrame::Reply { id, payload: Box::new(reply) },
        Err(error) => {
            match &error {
                error if error.is_refusal() => {}
                error if error.is_store_away() => {
                    tracing::warn!(error = %causes(error), "a command found the store away");
                }
                ChatError::Store(_) => {
                    tracing::error!(error = %causes(&error), "a command failed");
                }
                _ => {}
            }
            ServerFrame::Error { id, payload: error.payload() }
        }
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("commands", &self.slots.len()).finish_non_exhaustive()
    }
}
