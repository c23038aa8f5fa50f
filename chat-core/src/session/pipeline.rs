//! A session's commands, from frame to answer.
//!
//! Sends that follow one another are put in line at once, or as soon as all nodes have counted them,
//! and answered as they are stored, so a client may send the next before the last is durable. Any other command begins only when all
//! before it are answered, and what comes after it waits: so a client may send `conversation.join`
//! and `message.send` in one go.

use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use chat_proto::{ClientFrame, Command, ErrorPayload, FrameId, MessageSend, Reply, ServerFrame};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::command;
use super::replay::Resume;
use crate::chat::{Actor, Chat};
use crate::error::ChatError;
use crate::limit::Counted;
use crate::router::causes;

/// Commands that wait or run, from which on no more are read.
const MAX_COMMANDS: usize = 64;

/// Commands in the order in which they came.
pub(super) struct Pipeline {
    chat: Chat,
    actor: Actor,
    slots: VecDeque<Slot>,
}

/// What came out of a pipeline.
#[derive(Debug)]
pub(super) enum Step {
    /// An answer.
    Answer(Bytes),
    /// It is a resume's turn: [`Pipeline::take_resume`] has it.
    Resume,
}

enum Slot {
    /// Waits for those before it.
    Waiting(ClientFrame),
    /// Answered already.
    Answered(ServerFrame),
    /// A send that all nodes count, before it has its place in line.
    Counting(BoxFuture<'static, Result<(), Duration>>, Option<FrameId>, MessageSend),
    /// A send that has its place in line.
    Sending(BoxFuture<'static, ServerFrame>),
    /// Any other command, at the front, being carried out.
    Running(BoxFuture<'static, ServerFrame>),
}

impl Pipeline {
    pub(super) const fn new(chat: Chat, actor: Actor) -> Self {
        Self { chat, actor, slots: VecDeque::new() }
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
                Slot::Answered(ServerFrame::Error { id: error.id, payload: error.into() })
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
                    *slot = count(&self.chat, &self.actor, frame);
                }
                Slot::Waiting(_) | Slot::Running(_) => return,
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
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ServerFrame> {
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
                        Ok(()) => send(&self.chat, &self.actor, id, message),
                        Err(retry_after) => refused(id, ChatError::RateLimited { retry_after }),
                    };
                }
                Slot::Waiting(_) | Slot::Running(_) => break,
            }
        }
        match self.slots.front_mut() {
            Some(Slot::Sending(answer) | Slot::Running(answer)) => answer.poll_unpin(context),
            Some(Slot::Answered(answer)) => Poll::Ready(answer.clone()),
            Some(Slot::Counting(..) | Slot::Waiting(_)) | None => Poll::Pending,
        }
    }

    /// Waits for the next answer, for ever when there is no command. Safe to cancel.
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
            *front = run(&self.chat, &self.actor, frame);
        }
        let answer = std::future::poll_fn(|context| self.poll(context)).await;
        self.slots.pop_front();
        self.start_sends();
        Step::Answer(answer.encode().into())
    }
}

impl Slot {
    /// Stands in for a slot that is being changed.
    const fn empty() -> Self {
        Self::Answered(ServerFrame::Error {
            id: None,
            payload: ErrorPayload {
                code: chat_proto::ErrorCode::Internal,
                message: String::new(),
                retryable: true,
                field: None,
                retry_after_ms: None,
            },
        })
    }
}

/// Begins a send: counts it, and puts it in line if that is known at once.
fn count(chat: &Chat, actor: &Actor, frame: ClientFrame) -> Slot {
    let ClientFrame { id, command: Command::MessageSend(message) } = frame else {
        return run(chat, actor, frame);
    };
    match chat.count_send(actor) {
        Ok(Counted::Allowed) => send(chat, actor, id, message),
        Ok(Counted::Asking(counting)) => Slot::Counting(counting, id, message),
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
                answer(
                    id,
                    sent.map(|sent| Reply::Sent {
                        message: sent.message,
                        repeated: sent.repeated,
                        recipient_online: sent.recipient_online,
                    }),
                )
            }))
        }
        Err(error) => refused(id, error),
    }
}

fn refused(id: Option<FrameId>, error: ChatError) -> Slot {
    Slot::Answered(answer(id, Err(error)))
}

fn run(chat: &Chat, actor: &Actor, ClientFrame { id, command }: ClientFrame) -> Slot {
    let (chat, actor) = (chat.clone(), actor.clone());
    Slot::Running(Box::pin(
        async move { answer(id, command::carry_out(&chat, &actor, command).await) },
    ))
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
