use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chat_core::direct::DirectWriter;
use chat_core::proto::{
    ClientFrame, CloseCode, Command, ErrorCode, ErrorPayload, FrameId, Reply, ServerFrame,
};
use chat_core::{Outgoing, Session};
use secrecy::SecretString;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::admission::{Admission, Denied};
use crate::connection::{Closing, Incoming, Speaker, Turn};

/// Whoever has connected: a session, or somebody who has yet to say who they are.
#[derive(Debug)]
pub(crate) struct Visitor {
    state: State,
    /// Kept for the session that there may be.
    writer: Option<Arc<dyn DirectWriter>>,
}

/// A check that is under way, as a task: it asks the store, which must not depend on whether the peer
/// reads.
type Check = AbortOnDropHandle<Result<Session, Denied>>;

enum State {
    /// The first frame must bring a token.
    Unknown(Box<Unknown>),
    /// It has, and the token is being checked. Nothing more is read until that is done.
    Checking { check: Check, id: Option<FrameId>, _place: OwnedSemaphorePermit },
    /// A session, with the id of the frame that still waits to be answered. It is boxed because
    /// each future that it is handed on to would otherwise keep a place of its size.
    Attached { session: Box<Session>, unanswered: Option<FrameId> },
    /// There will be no session.
    Leaving { last_word: Option<Bytes>, code: CloseCode },
}

/// What somebody who has yet to authenticate is held to.
#[derive(Debug)]
pub(crate) struct Unknown {
    pub(crate) admission: Admission,
    /// Until when the token must have come.
    pub(crate) deadline: Instant,
    /// When the server takes no more sessions.
    pub(crate) stopping: CancellationToken,
    /// One of the places for connections that nobody answers for.
    pub(crate) place: OwnedSemaphorePermit,
}

impl Visitor {
    /// Somebody whose handshake brought no credential.
    pub(crate) fn unknown(unknown: Unknown) -> Self {
        Self { state: State::Unknown(Box::new(unknown)), writer: None }
    }

    /// Somebody whose handshake brought a good one.
    pub(crate) fn attached(session: Session) -> Self {
        note(&session);
        let state = State::Attached { session: Box::new(session), unanswered: None };
        Self { state, writer: None }
    }

    /// The first frame of somebody unknown. In no other state are frames asked for.
    fn introduce(&mut self, text: &str) {
        let gone = State::Leaving { last_word: None, code: CloseCode::Unauthenticated };
        self.state = match (std::mem::replace(&mut self.state, gone), ClientFrame::decode(text)) {
            (
                State::Unknown(unknown),
                Ok(ClientFrame { id, command: Command::Authenticate { token } }),
            ) => {
                let Unknown { admission, place, .. } = *unknown;
                let token = SecretString::from(String::from(token));
                let check = async move { admission.admit(&token).await };
                let check = AbortOnDropHandle::new(tokio::spawn(check.in_current_span()));
                State::Checking { check, id, _place: place }
            }
            (State::Unknown(_), Ok(ClientFrame { id, .. })) => {
                let words = "the first frame must be session.authenticate";
                let payload = ErrorPayload::new(ErrorCode::Unauthenticated, words);
                State::leaving(id, payload, CloseCode::Unauthenticated)
            }
            (State::Unknown(_), Err(error)) => {
                State::leaving(error.id, error.into(), CloseCode::Unauthenticated)
            }
            (state, _) => state,
        };
    }
}

impl State {
    /// Leaves after an error frame.
    fn leaving(id: Option<FrameId>, payload: ErrorPayload, code: CloseCode) -> Self {
        let frame = ServerFrame::Error { id, payload };
        Self::Leaving { last_word: Some(frame.encode().into()), code }
    }
}

impl Speaker for Visitor {
    fn write_directly(&mut self, writer: Arc<dyn DirectWriter>) {
        match &mut self.state {
            State::Attached { session, .. } => session.write_directly(writer),
            _ => self.writer = Some(writer),
        }
    }

    fn receive(&mut self, message: Incoming<'_>) -> Result<(), Closing> {
        match (&mut self.state, message) {
            (_, Incoming::Binary(_)) => return Err(Closing::UNSUPPORTED),
            (State::Attached { session, .. }, Incoming::Text(text)) => session.receive(text),
            (_, Incoming::Text(text)) => self.introduce(text),
        }
        Ok(())
    }

    fn wants_messages(&self) -> bool {
        match &self.state {
            State::Unknown(_) => true,
            State::Attached { session, .. } => session.wants_frames(),
            State::Checking { .. } | State::Leaving { .. } => false,
        }
    }

    async fn ended(&mut self) -> Closing {
        match &mut self.state {
            State::Attached { session, .. } => session.ended().await.into(),
            // Nothing is written before, and little after.
            State::Unknown(_) | State::Checking { .. } | State::Leaving { .. } => {
                std::future::pending().await
            }
        }
    }

    async fn next(&mut self) -> Turn {
        loop {
            self.state = match &mut self.state {
                State::Unknown(unknown) => {
                    let code = tokio::select! {
                        () = sleep_until(unknown.deadline) => CloseCode::Unauthenticated,
                        () = unknown.stopping.cancelled() => CloseCode::Draining,
                    };
                    State::Leaving { last_word: None, code }
                }
                State::Checking { check, id, .. } => {
                    match check.await.unwrap_or_else(|error| Err(broken_off(&error))) {
                        Ok(mut session) => {
                            note(&session);
                            if let Some(writer) = self.writer.take() {
                                session.write_directly(writer);
                            }
                            State::Attached { session: Box::new(session), unanswered: *id }
                        }
                        Err(denied) => {
                            denied.log();
                            State::leaving(*id, denied.payload(), denied.close_code())
                        }
                    }
                }
                State::Attached { session, unanswered } => {
                    let mut outgoing = session.next().await;
                    if let Outgoing::Frames(frames) = &mut outgoing
                        && let Some(id) = unanswered.take()
                    {
                        answer(frames, id);
                    }
                    return outgoing.into();
                }
                State::Leaving { last_word, code } => {
                    return match last_word.take() {
                        Some(frame) => Turn::Text(vec![frame]),
                        None => Turn::Finish((*code).into()),
                    };
                }
            };
        }
    }
}

/// What comes of a check whose task broke off.
fn broken_off(error: &JoinError) -> Denied {
    if error.is_panic() {
        tracing::error!("the check of a token panicked");
    }
    Denied::Timeout
}

/// Puts the answer to `session.authenticate` behind `session.ready`, which is always first.
fn answer(frames: &mut Vec<Bytes>, id: FrameId) {
    let reply = ServerFrame::Reply { id: Some(id), payload: Box::new(Reply::Done {}) };
    frames.insert(frames.len().min(1), reply.encode().into());
}

/// Names the session in the log.
fn note(session: &Session) {
    let span = tracing::Span::current();
    span.record("session", tracing::field::display(session.id()));
    span.record("user", session.user().id.as_str());
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown(_) => "Unknown",
            Self::Checking { .. } => "Checking",
            Self::Attached { .. } => "Attached",
            Self::Leaving { .. } => "Leaving",
        })
    }
}
